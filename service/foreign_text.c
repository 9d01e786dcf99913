/* Prints the report for people at a terminal. */
#include "service/foreign_report.h"
#include "service/render.h"

#include "base/banned.h"

void foreign_text_write(FILE *file, const struct jread *report)
{
    render_value(file, report);
}
