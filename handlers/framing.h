/*
 * Request framing: two readers that disagree about where a body ends can be made to see different
 * requests (RFC 9112 section 6.3). libh2o 2.2.5 takes the first Content-Length and the last
 * Transfer-Encoding in silence and drops them from the header list, so we look at the bytes.
 */
#ifndef COUNTERPART_HANDLERS_FRAMING_H
#define COUNTERPART_HANDLERS_FRAMING_H

#include "base/text.h"

/* bytes: from the first byte of an HTTP/1 request on, its header names lower-cased (libh2o does
 * that in place); reading ends at the empty line. true: more than one header says how long the body
 * is. */
bool framing_is_ambiguous(struct text bytes);

#endif
