/*
 * What the judges of counterpart doctor share: writing one line. Not for other files.
 */
#ifndef COUNTERPART_HANDLERS_DOCTOR_LINE_H
#define COUNTERPART_HANDLERS_DOCTOR_LINE_H

#include "handlers/doctor.h"

#define DOCTOR_PRINTF(at) __attribute__((format(printf, at, (at) + 1)))

/* What is so. */
void line_find(struct doctor_line *line, enum doctor_state state, const char *format, ...)
    DOCTOR_PRINTF(3);
/* The one thing to do about it, and the exact command for it. */
void line_advise(struct doctor_line *line, const char *format, ...) DOCTOR_PRINTF(2);
void line_command(struct doctor_line *line, const char *format, ...) DOCTOR_PRINTF(2);
/* The command of a shop that does not want it. */
void line_offer(struct doctor_line *line, const char *format, ...) DOCTOR_PRINTF(2);

/* As one word of a shell; control characters become spaces. */
#define QUOTED_MAX 512
struct quoted {
    char text[QUOTED_MAX];
};
struct quoted quoted_of(const char *word);

/* "3 minutes", "2 hours", "5 days" */
struct span {
    char text[32];
};
struct span span_of(int64_t duration_us);

struct judging {
    const struct doctor_facts *facts;
    struct doctor_report *report;
};
/* The line is judged when the other one is green; true: it waits. */
bool line_waits_for(const struct judging *judging, struct doctor_line *line,
                    enum doctor_line_id other);

typedef void (*doctor_judge_fn)(const struct judging *judging, struct doctor_line *line);
/* doctor_machine.c */
void judge_service(const struct judging *judging, struct doctor_line *line);
void judge_data_folder(const struct judging *judging, struct doctor_line *line);
void judge_master_key(const struct judging *judging, struct doctor_line *line);
void judge_disk(const struct judging *judging, struct doctor_line *line);
void judge_redis(const struct judging *judging, struct doctor_line *line);
void judge_clock(const struct judging *judging, struct doctor_line *line);
/* doctor_way.c */
void judge_public_url(const struct judging *judging, struct doctor_line *line);
void judge_reachable(const struct judging *judging, struct doctor_line *line);
void judge_certificate(const struct judging *judging, struct doctor_line *line);
void judge_json(const struct judging *judging, struct doctor_line *line);
void judge_unchanged(const struct judging *judging, struct doctor_line *line);
/* doctor_merchant.c */
void judge_app(const struct judging *judging, struct doctor_line *line);
void judge_token(const struct judging *judging, struct doctor_line *line);
void judge_grant(const struct judging *judging, struct doctor_line *line);
void judge_company(const struct judging *judging, struct doctor_line *line);
void judge_sites(const struct judging *judging, struct doctor_line *line);
void judge_method(const struct judging *judging, struct doctor_line *line);
void judge_foreign(const struct judging *judging, struct doctor_line *line);
/* doctor_register.c */
void judge_profile(const struct judging *judging, struct doctor_line *line);
void judge_call(const struct judging *judging, struct doctor_line *line);
void judge_signatures(const struct judging *judging, struct doctor_line *line);
void judge_replies(const struct judging *judging, struct doctor_line *line);
void judge_proofs(const struct judging *judging, struct doctor_line *line);
void judge_work(const struct judging *judging, struct doctor_line *line);

#endif
