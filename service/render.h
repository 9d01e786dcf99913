/*
 * The service's JSON for people: one line per member, a table for a list of objects.
 */
#ifndef COUNTERPART_SERVICE_RENDER_H
#define COUNTERPART_SERVICE_RENDER_H

#include "base/json.h"

#include <stdio.h>

void render_value(FILE *file, const struct jread *value);

#endif
