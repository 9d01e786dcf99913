/* Writes pages that stand alone: the frame, the style, and data that is escaped. */
#include "service/html.h"

#include "base/banned.h"

/* Readable at 4.5:1 and more, light and dark; the colours are those of handlers/page.c. */
static const char STYLE[] =
    ":root{color-scheme:light dark;--ink:#16202b;--soft:#55616e;--paper:#fff;--ground:#eef1f4;"
    "--line:#d5dbe2;--brand:#0a5c47;--good:#0f6b45;--good-tint:#e2f4ea;--notice:#875000;"
    "--notice-tint:#fdf0d9;--bad:#a3242b;--bad-tint:#fbe6e6}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#eef1f4;--soft:#a9b3be;--paper:#1b222b;"
    "--ground:#11161c;--line:#3a444f;--brand:#5fd0ae;--good:#6fdca6;--good-tint:#173a2b;"
    "--notice:#f3bd62;--notice-tint:#40301a;--bad:#ff9d9d;--bad-tint:#4a2226}}\n"
    ".good{--tone:var(--good);--tint:var(--good-tint)}\n"
    ".notice{--tone:var(--notice);--tint:var(--notice-tint)}\n"
    ".bad{--tone:var(--bad);--tint:var(--bad-tint)}\n"
    ".plain{--tone:var(--ink);--tint:var(--ground)}\n"
    "*{box-sizing:border-box}\n"
    "html{-webkit-text-size-adjust:100%;text-size-adjust:100%}\n"
    "body{margin:0;padding:2rem 1.5rem 3rem;background:var(--ground);color:var(--ink);"
    "font:1rem/1.5 system-ui,-apple-system,\"Segoe "
    "UI\",sans-serif;overflow-wrap:break-word;text-align:left}\n"
    "body>*{max-width:72rem;margin-inline:auto}\n"
    ".brand{font-weight:700;letter-spacing:-.01em;color:var(--brand);margin-bottom:1.5rem}\n"
    ".brand span{color:var(--soft);font-weight:400}\n"
    "h1{font-size:1.875rem;line-height:1.2;letter-spacing:-.02em;margin:0}\n"
    "header p{margin:.35rem 0 0;color:var(--soft)}\n"
    "main{margin-top:1.5rem}\n"
    "main>p,section>p{margin:.75rem 0;max-width:46rem}\n"
    "section{margin-top:2.25rem}\n"
    "section>p{color:var(--soft)}\n"
    "h2{font-size:1.25rem;line-height:1.3;letter-spacing:-.01em;margin:0 0 .75rem}\n"
    "section section{margin-top:1.5rem}section section h2{font-size:1.0625rem}\n"
    ".verdict{display:flex;gap:1rem;align-items:flex-start;padding:1.1rem 1.25rem;"
    "border-radius:.85rem;background:var(--tint);margin:1.5rem 0}\n"
    ".verdict svg{flex:none;width:1.65rem;height:1.65rem;margin-top:-.02rem;fill:none;"
    "stroke:var(--tone);stroke-width:2;stroke-linecap:round;stroke-linejoin:round}\n"
    ".verdict strong{display:block;font-size:1.125rem;line-height:1.4;color:var(--tone)}\n"
    ".verdict span{display:block;max-width:46rem}\n"
    ".figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.25rem,1fr));gap:1px;"
    "margin:1rem 0;background:var(--paper);border:1px solid var(--line);border-radius:.85rem;"
    "overflow:hidden}\n"
    ".figures div{display:flex;flex-direction:column;padding:.9rem 1rem;"
    "box-shadow:0 0 0 1px var(--line)}\n"
    ".figures dt{color:var(--soft);font-size:.875rem}\n"
    ".figures dd{margin:0;color:var(--tone);font-size:1.5rem;line-height:1.35;font-weight:600;"
    "letter-spacing:-.01em;font-variant-numeric:tabular-nums}\n"
    ".figures dd+dd{color:var(--soft);font-size:.8125rem;font-weight:400;letter-spacing:0}\n"
    ".facts{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.5rem;margin:1.5rem 0;"
    "font-size:.9375rem}\n"
    ".facts dt{color:var(--soft)}\n"
    ".facts dd{margin:0}\n"
    "table{width:100%;border-collapse:separate;border-spacing:0;background:var(--paper);"
    "border:1px solid var(--line);border-radius:.85rem;overflow:hidden;font-size:.9375rem;"
    "font-variant-numeric:tabular-nums}\n"
    "caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}\n"
    "th{text-align:left;font-size:.8125rem;font-weight:600;color:var(--soft);"
    "background:color-mix(in srgb,var(--ground) 55%,var(--paper))}\n"
    "th,td{padding:.6rem .8rem;vertical-align:top;border-bottom:1px solid var(--line)}\n"
    "th:first-child,td:first-child{padding-left:1.1rem}\n"
    "th:last-child,td:last-child{padding-right:1.1rem}\n"
    "tbody tr:last-child td{border-bottom:0}\n"
    ".n,.s{white-space:nowrap}.n{text-align:right}\n"
    ".w{min-width:12rem;width:45%}th[style]~.w{width:99%}\n"
    ".t{min-width:8rem}\n"
    "td span,td small{overflow-wrap:anywhere}\n"
    ".verdict>div,.facts dd{min-width:0;overflow-wrap:anywhere}\n"
    "td small{display:block;color:var(--soft);font-size:.8125rem;line-height:1.45}\n"
    "td small.l{color:var(--ink);margin-top:.3rem;max-width:46rem}\n"
    "code{font:.9em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;"
    "background:var(--ground);padding:.05rem .3rem;border-radius:.3rem;"
    "box-decoration-break:clone;-webkit-box-decoration-break:clone}\n"
    "td b{display:inline-block;padding:.05rem .5rem;border-radius:.4rem;background:var(--tint);"
    "color:var(--tone);font-weight:600;font-size:.8125rem;white-space:nowrap}\n"
    "footer{margin-top:2.5rem;padding-top:1rem;border-top:1px solid var(--line);"
    "color:var(--soft);font-size:.875rem}\n"
    "@media screen and (max-width:60rem){body{padding:1.25rem 1rem 2rem}\n"
    "h1{font-size:1.5rem}.brand{margin-bottom:1rem}\n"
    "table,tbody,tr,td{display:block;width:auto}thead{display:none}\n"
    "table{background:none;border:0;border-radius:0;overflow:visible}\n"
    "tbody{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(20rem,100%),1fr));"
    "gap:.75rem}\n"
    "tr{background:var(--paper);border:1px solid var(--line);border-radius:.85rem;"
    "padding:.6rem 1rem}\n"
    "td,td:first-child,td:last-child{display:grid;grid-template-columns:6.5rem 1fr;gap:0 .75rem;"
    "padding:.25rem 0;border:0;text-align:left!important}\n"
    "td::before{content:attr(data-label);grid-row:1/span 2;color:var(--soft);"
    "font-size:.8125rem;line-height:1.6rem}\n"
    "td>*{grid-column:2;justify-self:start}\n"
    "td.e{display:none}td.w,td.t{min-width:0;width:auto}td.n,td.s{white-space:normal}\n"
    ".checks tbody{display:block;background:var(--paper);border:1px solid var(--line);"
    "border-radius:.85rem;overflow:hidden}\n"
    ".checks tr{display:grid;grid-template-columns:1fr auto;gap:.15rem .75rem;padding:.7rem 1rem;"
    "border:0;border-radius:0}.checks tr+tr{border-top:1px solid var(--line)}\n"
    ".checks td,.checks td:first-child,.checks td:last-child{display:block;padding:0}"
    ".checks td::before{content:none}\n"
    ".checks td:first-child{grid-area:1/2}.checks td:nth-child(2){grid-area:1/1;font-weight:600}"
    ".checks td:last-child{grid-area:2/1/auto/span 2}\n"
    ".checks td:last-child>span{color:var(--soft)}.checks td small.l{font-size:.875rem}\n"
    ".checks code{display:block;width:fit-content;margin-top:.2rem;padding:.3rem .5rem}}\n"
    "@media(max-width:26rem){.figures{grid-template-columns:1fr 1fr}.figures div{padding:.75rem "
    ".9rem}.figures div:last-child:nth-child(odd){grid-column:span 2}"
    ".figures dd{font-size:1.25rem}.facts{grid-template-columns:1fr;gap:0}"
    ".facts dd{margin-bottom:.5rem}}\n"
    "@media print{@page{margin:14mm}:root{color-scheme:light;--ink:#000;--soft:#444;"
    "--paper:#fff;--ground:#fff;--line:#bbb;--brand:#000;--good:#0f6b45;--good-tint:#fff;"
    "--notice:#875000;--notice-tint:#fff;--bad:#a3242b;--bad-tint:#fff}\n"
    "html{font-size:8.5pt}body{padding:0}.verdict,td b{border:1px solid var(--tone)}\n"
    "thead{display:table-header-group}\n"
    "tr,.verdict,.figures,h2{break-inside:avoid}h2{break-after:avoid}}\n";

static const char *tone_class(enum html_tone tone)
{
    switch (tone) {
    case HTML_PLAIN:
        return "plain";
    case HTML_GOOD:
        return "good";
    case HTML_NOTICE:
        return "notice";
    case HTML_BAD:
        return "bad";
    }
    return "plain";
}

/* --- texts */

static void put(FILE *file, const char *markup)
{
    fputs(markup, file);
}

static const char *entity_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void html_text(FILE *file, struct text text)
{
    size_t step;
    for (size_t at = 0; at < text.length; at += step) {
        step = text_utf8_step(text, at);
        struct text each = text_slice(text, at, step);
        const char *entity = entity_of(*each.base);
        if (entity != NULL)
            put(file, entity);
        else if (text_utf8_length(each) == 0 || !text_is_printable(each))
            put(file, "\xef\xbf\xbd");
        else
            fwrite(each.base, 1, each.length, file);
    }
}

/* What comes from outside may be in any writing, and may even turn the direction of what follows:
 * dir=auto keeps that inside. */
static void put_element(FILE *file, const char *tag, struct text text)
{
    fprintf(file, "<%s dir=\"auto\">", tag);
    html_text(file, text);
    fprintf(file, "</%s>", tag);
}

static void put_detail(FILE *file, const char *tag, struct text detail)
{
    if (detail.length > 0)
        put_element(file, tag, detail);
}

/* --- the frame */

void html_begin(FILE *file, struct text title, struct text subtitle)
{
    put(file, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
              "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n<title>");
    html_text(file, title);
    put(file, " - ");
    html_text(file, subtitle);
    put(file, " - Counterpart</title>\n<style>\n");
    put(file, STYLE);
    put(file,
        "</style>\n</head>\n<body>\n<div class=\"brand\">Counterpart <span>for gift cards and "
        "loyalty</span></div>\n<header>\n");
    put_element(file, "h1", title);
    put_detail(file, "p", subtitle);
    put(file, "\n</header>\n<main>\n");
}

void html_end(FILE *file, struct text note)
{
    put(file, "</main>\n<footer>");
    html_text(file, note);
    put(file, "</footer>\n</body>\n</html>\n");
}

/* --- blocks */

void html_verdict(FILE *file, enum html_tone tone, struct text heading, struct text sentence)
{
    fprintf(file,
            "<div class=\"verdict %s\"><svg viewBox=\"0 0 24 24\" aria-hidden=\"true\">"
            "<circle cx=\"12\" cy=\"12\" r=\"10\"/><path d=\"%s\"/></svg>\n<div>",
            tone_class(tone),
            tone == HTML_GOOD ? "M7.6 12.4l3 3 5.8-6.4" : "M12 7.2v5.6M12 16.6v.1");
    put_element(file, "strong", heading);
    put_detail(file, "span", sentence);
    put(file, "</div></div>\n");
}

void html_paragraph(FILE *file, struct text text)
{
    put_element(file, "p", text);
    put(file, "\n");
}

void html_section_begin(FILE *file, struct text heading)
{
    put(file, "<section>\n");
    put_element(file, "h2", heading);
    put(file, "\n");
}

void html_section_end(FILE *file)
{
    put(file, "</section>\n");
}

void html_figures_begin(FILE *file)
{
    put(file, "<dl class=\"figures\">\n");
}

void html_figure(FILE *file, enum html_tone tone, struct text label, struct text value,
                 struct text note)
{
    fprintf(file, "<div class=\"%s\">", tone_class(tone));
    put_element(file, "dt", label);
    put_element(file, "dd", value);
    put_detail(file, "dd", note);
    put(file, "</div>\n");
}

void html_figures_end(FILE *file)
{
    put(file, "</dl>\n");
}

void html_facts_begin(FILE *file)
{
    put(file, "<dl class=\"facts\">\n");
}

void html_fact(FILE *file, struct text label, struct text value)
{
    put_element(file, "dt", label);
    put_element(file, "dd", value);
    put(file, "\n");
}

void html_facts_end(FILE *file)
{
    put(file, "</dl>\n");
}

/* --- tables: the roles stand there because a row that is shown as a card is no row to a browser
 * any more */

static const char *column_class(const struct html_column *column)
{
    return column->is_number ? "n" : column->is_short ? "s" : column->is_wide ? "w" : "t";
}

static void table_begin(struct html_table *table, FILE *file, const char *markup,
                        struct text caption, const struct html_column *columns, int count)
{
    CHECK(count > 0);
    *table = (struct html_table){file, columns, count, count};
    put(file, markup);
    put_element(file, "caption", caption);
    put(file, "\n<thead><tr>");
    for (int i = 0; i < count; i++) {
        fprintf(file, "<th scope=\"col\" class=\"%s\"", column_class(&columns[i]));
        if (columns[i].width_rem > 0)
            fprintf(file, " style=\"min-width:%drem\"", columns[i].width_rem);
        put(file, ">");
        html_text(file, text_of(columns[i].title));
        put(file, "</th>");
    }
    put(file, "</tr></thead>\n<tbody role=\"rowgroup\">\n");
}

void html_table_begin(struct html_table *table, FILE *file, struct text caption,
                      const struct html_column *columns, int count)
{
    table_begin(table, file, "<table role=\"table\">", caption, columns, count);
}

void html_checks_begin(struct html_table *table, FILE *file, struct text caption,
                       const struct html_column columns[3])
{
    table_begin(table, file, "<table role=\"table\" class=\"checks\">", caption, columns, 3);
}

void html_row_begin(struct html_table *table)
{
    CHECK(table->next == table->count);
    table->next = 0;
    put(table->file, "<tr role=\"row\">");
}

static void cell_begin(struct html_table *table, bool is_empty)
{
    CHECK(table->next < table->count);
    const struct html_column *column = &table->columns[table->next++];
    fprintf(table->file, "<td role=\"cell\" class=\"%s%s\" data-label=\"", column_class(column),
            is_empty ? " e" : "");
    html_text(table->file, text_of(column->title));
    put(table->file, "\">");
}

void html_cell(struct html_table *table, struct text text, struct text detail)
{
    cell_begin(table, text.length == 0 && detail.length == 0);
    put_detail(table->file, "span", text);
    put_detail(table->file, "small", detail);
    put(table->file, "</td>");
}

void html_cell_lines(struct html_table *table, struct text text, const struct html_line *lines,
                     int count)
{
    cell_begin(table, false);
    put_detail(table->file, "span", text);
    for (int i = 0; i < count; i++) {
        if (lines[i].words.length == 0 && lines[i].code.length == 0)
            continue;
        put(table->file, "<small class=\"l\" dir=\"auto\">");
        html_text(table->file, lines[i].words);
        put(table->file, lines[i].words.length > 0 && lines[i].code.length > 0 ? " " : "");
        put_detail(table->file, "code", lines[i].code);
        put(table->file, "</small>");
    }
    put(table->file, "</td>");
}

void html_cell_badge(struct html_table *table, enum html_tone tone, struct text text,
                     struct text detail)
{
    cell_begin(table, false);
    fprintf(table->file, "<b class=\"%s\">", tone_class(tone));
    html_text(table->file, text);
    put(table->file, "</b>");
    put_detail(table->file, "small", detail);
    put(table->file, "</td>");
}

void html_row_end(struct html_table *table)
{
    CHECK(table->next == table->count);
    put(table->file, "</tr>\n");
}

void html_table_end(struct html_table *table)
{
    CHECK(table->next == table->count);
    put(table->file, "</tbody>\n</table>\n");
}
