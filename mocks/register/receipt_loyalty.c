/* Prints what loyalty is about: members, rewards, and what a redemption did to the sale. */
#include "mocks/register/receipt.h"

#include "mocks/register/paper.h"

#include "base/money.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/banned.h"

#define LABEL_MAX 256

/* A text or number of an object; empty when it is none. */
static struct text said(const struct jread *from, const char *name)
{
    struct text value;
    return jread_scalar(jread_member(from, name), &value) == 0 ? value : TEXT("");
}

static void append_points(struct text_buffer *buffer, const struct jread *member,
                          const char *points)
{
    struct text label = said(member, "points_label");
    text_append(buffer, said(member, points));
    text_append_char(buffer, ' ');
    text_append(buffer, label.length > 0 ? label : TEXT("Points"));
}

static void print_extra(struct text label, struct text value)
{
    if (value.length == 0)
        return;
    fputs("      ", stdout);
    paper_foreign(label);
    if (label.length > 0)
        fputs(": ", stdout);
    paper_foreign(value);
    putchar('\n');
}

static void print_member(const struct jread *member)
{
    char name_memory[LABEL_MAX], points_memory[LABEL_MAX];
    struct text_buffer name, points;
    text_buffer_init(&name, name_memory, sizeof(name_memory));
    text_append(&name, said(member, "id"));
    text_append_format(&name, "  ");
    text_append(&name, said(member, "first_name"));
    text_append_char(&name, ' ');
    text_append(&name, said(member, "last_name"));
    text_buffer_init(&points, points_memory, sizeof(points_memory));
    if (said(member, "current_points").length > 0)
        append_points(&points, member, "current_points");
    else
        text_append_format(&points, "no points");
    paper_entry(text_buffer_text(&name), text_buffer_text(&points));
    print_extra(TEXT(""), said(member, "email_address"));
    print_extra(TEXT(""), said(member, "intro_text"));
    const struct jread *params = jread_member(member, "params");
    for (size_t i = 0; i < jread_count(params); i++) {
        struct text key, value;
        const struct jread *param = jread_member_at(params, i, &key);
        if (jread_scalar(param, &value) == 0)
            print_extra(key, value);
    }
}

void receipt_print_members(const struct judgement *judgement)
{
    const struct jread *members = jread_member(judgement->body, "members");
    struct text ignored_key;
    if (judgement->found == 0)
        return;
    paper_rule("Members", "");
    for (size_t i = 0; i < judgement->found; i++)
        print_member(jread_member_at(members, i, &ignored_key));
    putchar('\n');
}

static void print_reward(const struct jread *reward, const struct jread *member, size_t number)
{
    char title_memory[LABEL_MAX], points_memory[LABEL_MAX];
    struct text_buffer title, points;
    text_buffer_init(&title, title_memory, sizeof(title_memory));
    text_append_format(&title, "%zu  ", number);
    text_append(&title, said(reward, "title"));
    text_buffer_init(&points, points_memory, sizeof(points_memory));
    text_append(&points, said(reward, "points_required"));
    text_append_char(&points, ' ');
    struct text label = said(member, "points_label");
    text_append(&points, label.length > 0 ? label : TEXT("Points"));
    paper_entry(text_buffer_text(&title), text_buffer_text(&points));
    print_extra(TEXT(""), said(reward, "terms"));
}

void receipt_print_rewards(const struct judgement *judgement)
{
    const struct jread *member = jread_member(judgement->body, "member");
    const struct jread *rewards = jread_member(judgement->body, "rewards");
    if (jread_kind_of(member) != JREAD_OBJECT)
        return;
    paper_rule("Member", "");
    print_member(member);
    putchar('\n');
    if (judgement->found == 0)
        return;
    paper_rule("Rewards", "");
    for (size_t i = 0; i < judgement->found; i++)
        print_reward(jread_element(rewards, i), member, i + 1);
    putchar('\n');
}

/* --- the ticket ------------------------------------------------------------------------------- */

static void print_change(const char *label, struct text before, struct text after)
{
    char memory[LABEL_MAX];
    struct text_buffer both;
    if (text_equal(before, after)) {
        paper_line(text_of(label), INK_PLAIN, after);
        return;
    }
    text_buffer_init(&both, memory, sizeof(memory));
    text_append(&both, before);
    text_append_format(&both, before.length > 0 ? " → " : "→ ");
    text_append(&both, after.length > 0 ? after : TEXT("none"));
    paper_line(text_of(label), INK_GREEN, text_buffer_text(&both));
}

/* Decimals of a plain number; the API writes amounts with all of the currency's. */
static int decimals_of(struct text number)
{
    for (size_t i = 0; i < number.length; i++) {
        if (number.base[i] == '.')
            return (int)(number.length - i - 1);
    }
    return 0;
}

/* What the line costs with tax; an order has the two parts only. */
static struct text line_total(const struct jread *line, char memory[MONEY_TEXT_MAX])
{
    struct text net = said(line, "line_total_ex_tax"), tax = said(line, "line_total_tax");
    int64_t net_minor, tax_minor, total_minor;
    struct text_buffer total;
    int exponent = decimals_of(net) > decimals_of(tax) ? decimals_of(net) : decimals_of(tax);
    text_buffer_init(&total, memory, MONEY_TEXT_MAX);
    if (exponent <= MONEY_EXPONENT_MAX && money_parse(net, exponent, &net_minor) == 0 &&
        money_parse(tax, exponent, &tax_minor) == 0 &&
        money_add(net_minor, tax_minor, &total_minor))
        money_append(&total, total_minor, exponent);
    return text_buffer_text(&total);
}

static void print_ticket_line(const struct jread *before, const struct jread *after)
{
    char label_memory[LABEL_MAX], before_memory[MONEY_TEXT_MAX], after_memory[MONEY_TEXT_MAX];
    struct text_buffer label;
    const struct jread *shown = after != NULL ? after : before;
    text_buffer_init(&label, label_memory, sizeof(label_memory));
    text_append(&label, said(shown, "quantity"));
    text_append_format(&label, " × ");
    text_append(&label, said(jread_member(shown, "product"), "name"));
    print_change(label_memory, line_total(before, before_memory), line_total(after, after_memory));
    if (!text_equal(said(before, "notes"), said(after, "notes")))
        print_change("  note", said(before, "notes"), said(after, "notes"));
}

static void print_ticket_lines(const struct jread *before, const struct jread *after)
{
    const struct jread *old_lines = jread_member(before, "lines");
    const struct jread *new_lines = jread_member(after, "lines");
    size_t count = jread_count(old_lines);
    if (jread_count(new_lines) > count)
        count = jread_count(new_lines);
    for (size_t i = 0; i < count; i++)
        print_ticket_line(i < jread_count(old_lines) ? jread_element(old_lines, i) : NULL,
                          i < jread_count(new_lines) ? jread_element(new_lines, i) : NULL);
}

static void print_ticket_fields(const struct jread *before, const struct jread *after)
{
    static const struct {
        const char *label;
        const char *name;
    } FIELDS[] = {
        {"Money off", "price_fixed_variation"},
        {"Factor", "price_variation"},
        {"Total", "total"},
        {"Paid", "paid"},
        {"Notes", "notes"},
        {"Status", "status"},
    };
    for (size_t i = 0; i < COUNT_OF(FIELDS); i++)
        print_change(FIELDS[i].label, said(before, FIELDS[i].name), said(after, FIELDS[i].name));
}

void receipt_print_ticket(const struct ticket *before, const struct ticket *after)
{
    char title[48];
    struct text_buffer buffer;
    if (before == NULL || after == NULL)
        return;
    text_buffer_init(&buffer, title, sizeof(title));
    text_append_format(&buffer, "Order %" PRId64, after->order_id);
    if (before->order == NULL || after->order == NULL) {
        paper_rule(title, "");
        printf("    %s\n\n", before->order == NULL ? before->problem : after->problem);
        return;
    }
    paper_rule(title, "before → after");
    print_ticket_lines(before->order, after->order);
    print_ticket_fields(before->order, after->order);
    putchar('\n');
}
