/*
 * What the register gets from customer-search, reward-lookup and redeem, in the names of its
 * dialect (protocol o-series 3). The register's search screen is sensitive: what it requires is
 * never null, nobody found is an empty object, and a reply is at most LOYALTY_REPLY_MAX.
 */
#ifndef COUNTERPART_HANDLERS_LOYALTY_REPLY_H
#define COUNTERPART_HANDLERS_LOYALTY_REPLY_H

#include "handlers/profile.h"
#include "store/member.h"

#define LOYALTY_REPLY_MAX (64 * 1024)
/* Every text of a member or reward with every byte escaped, under every name of the dialect, twice
 * (params): more than any of them needs, and what does not fit is left out whole. */
#define LOYALTY_PART_MAX (32 * 1024)

struct loyalty_style {
    const struct profile_loyalty *profile;
    const char *points_label;
};

/* Gives how many of count were told: those from the first one on that does not fit are left out.
 * reply has room for LOYALTY_REPLY_MAX, scratch for LOYALTY_PART_MAX bytes. */
int32_t loyalty_reply_members(const struct loyalty_style *style, const struct member *members,
                              int32_t count, char *scratch, struct text_buffer *reply);

struct loyalty_offer {
    const struct reward *reward;
    struct text redeem_url;
};
int32_t loyalty_reply_rewards(const struct loyalty_style *style, const struct member *member,
                              const struct loyalty_offer *offers, int32_t count, char *scratch,
                              struct text_buffer *reply);

/* sentence: of a failure, or empty. */
void loyalty_reply_redeem(const struct loyalty_style *style, bool is_redeemed, const char *code,
                          const char *sentence, struct text_buffer *reply);
void loyalty_reply_error(const struct loyalty_style *style, const char *code, const char *sentence,
                         struct text_buffer *reply);

#endif
