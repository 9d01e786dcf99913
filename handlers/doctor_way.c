/* Judges the way from the internet to this process: name, certificate, tunnels and proxies. */
#include "handlers/doctor_line.h"

#include "base/url.h"

#include <string.h>

#include "base/banned.h"

#define CERTIFICATE_LEFT_US (14 * CLOCK_S_PER_DAY * CLOCK_US_PER_S)

static bool is_https(const char *url)
{
    return text_starts_with(text_of(url), TEXT("https://"));
}

void judge_public_url(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    const char *url = facts->public_url;
    line_find(line, DOCTOR_TODO, "%s", url);
    if (!facts->about->public_url_is_set)
        line_find(line, DOCTOR_TODO,
                  "COUNTERPART_PUBLIC_URL is not set; %s is of this machine only", url);
    else if (url_is_loopback(text_of(url)))
        line_find(line, DOCTOR_TODO, "%s is of this machine only", url);
    else if (!is_https(url))
        line_find(line, DOCTOR_TODO, "%s is not encrypted", url);
    else
        line->state = DOCTOR_OK;
    if (line->state == DOCTOR_OK)
        return;
    line_advise(line, "Start the service with the https address by which the internet reaches it "
                      "in its environment (docs/going-live.md has a recipe)");
    line_command(line, "COUNTERPART_PUBLIC_URL=https://your.name counterpart serve");
}

/* --- are we there? */

static bool speaks_of(const char *reason, const char *word)
{
    return strcasestr(reason, word) != NULL;
}

static void advise_unreachable(const struct doctor_visit *visit, struct doctor_line *line)
{
    if (speaks_of(visit->reason, "resolve"))
        line_advise(line, "Make a DNS record for the name in COUNTERPART_PUBLIC_URL, or correct "
                          "the name");
    else if (speaks_of(visit->reason, "certificate") || speaks_of(visit->reason, "SSL"))
        line_advise(line, "Give the host at this address a certificate that everybody trusts, for "
                          "this very name; Caddy and certbot get one from Let's Encrypt");
    else if (visit->error == ERR_TIMED_OUT)
        line_advise(line, "Let port 443 through the firewall in front of the host at this address");
    else
        line_advise(line, "Start the tunnel or proxy at this address, so that it forwards to where "
                          "this service listens");
}

static void find_stranger(const struct doctor_visit *visit, struct doctor_line *line)
{
    if (visit->status >= 300 && visit->status < 400) {
        line_find(line, DOCTOR_TODO, "It sends visitors on to %s", visit->location);
        line_advise(line, "Set COUNTERPART_PUBLIC_URL to the address where that ends: registers "
                          "follow nobody");
    } else if (visit->status == 502 || visit->status == 503 || visit->status == 504) {
        line_find(line, DOCTOR_TODO, "The proxy there answers %d: it finds no service behind it",
                  visit->status);
        line_advise(line, "Let it forward to where this service listens, and see that the tunnel "
                          "between them stands");
    } else if (visit->is_object) {
        line_find(line, DOCTOR_TODO, "Another service answers there, with JSON and status %d",
                  visit->status);
        line_advise(line, "Point the tunnel or proxy at this service: somebody else would get your "
                          "merchants' charges");
    } else {
        line_find(line, DOCTOR_TODO, "Somebody else answers there: status %d, %s", visit->status,
                  visit->content_type[0] == '\0' ? "of no type" : visit->content_type);
        line_advise(line, "Point the tunnel or proxy at this service, with everything below "
                          "/oseries/ and /oauth/");
    }
}

void judge_reachable(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_visit *visit = &judging->facts->probes.hello;
    if (!visit->was_made && line_waits_for(judging, line, DOCTOR_PUBLIC_URL))
        return;
    if (!visit->was_made) {
        line_find(line, DOCTOR_UNKNOWN, "Could not be tried now");
    } else if (visit->error != 0) {
        line_find(line, DOCTOR_TODO, "No answer from %s: %s", judging->facts->public_url,
                  visit->reason);
        advise_unreachable(visit, line);
    } else if (!visit->is_ours) {
        find_stranger(visit, line);
    } else {
        line_find(line, DOCTOR_OK, "This very process answers at %s", judging->facts->public_url);
    }
}

void judge_certificate(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_facts *facts = judging->facts;
    int64_t ends_us = facts->probes.hello.certificate_ends_us;
    if (line_waits_for(judging, line, DOCTOR_REACHABLE) ||
        line_waits_for(judging, line, DOCTOR_PUBLIC_URL))
        return;
    if (ends_us == 0) {
        line_find(line, DOCTOR_UNKNOWN, "Its end is not told");
        return;
    }
    int64_t left_us = ends_us - facts->wall_us;
    bool is_short = left_us < CERTIFICATE_LEFT_US;
    line_find(line, is_short ? DOCTOR_TODO : DOCTOR_OK, "Trusted; good for another %s",
              span_of(left_us).text);
    if (is_short)
        line_advise(line, "Renew it at the host of the public URL, and see why that did not happen "
                          "by itself");
}

/* --- what proxies do to it */

static bool proxy_is_clear(const struct judging *judging, const struct doctor_visit *visit,
                           struct doctor_line *line)
{
    if (line_waits_for(judging, line, DOCTOR_REACHABLE))
        return false;
    if (!visit->was_made)
        line_find(line, DOCTOR_UNKNOWN, "Could not be tried now");
    else if (visit->error != 0)
        line_find(line, DOCTOR_UNKNOWN, "No answer this time: %s", visit->reason);
    return visit->was_made && visit->error == 0;
}

void judge_json(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_visit *visit = &judging->facts->probes.unknown;
    if (!proxy_is_clear(judging, visit, line))
        return;
    if (visit->is_object && visit->status == 404) {
        line_find(line, DOCTOR_OK, "An unknown path is answered in JSON");
        return;
    }
    line_find(line, DOCTOR_TODO,
              "An unknown path is answered with status %d and %s by a proxy on the way: a register "
              "crashes on that",
              visit->status,
              visit->content_type[0] == '\0' ? "something of no type" : visit->content_type);
    line_advise(line, "Let the proxy pass our error answers through (nginx: no "
                      "proxy_intercept_errors) and forward everything below /oseries/");
}

void judge_unchanged(const struct judging *judging, struct doctor_line *line)
{
    const struct doctor_visit *visit = &judging->facts->probes.parcel;
    if (!proxy_is_clear(judging, visit, line))
        return;
    if (visit->is_ours) {
        line_find(line, DOCTOR_OK, "60 KiB and the signature's header came as they were sent");
        return;
    }
    if (visit->status == 413) {
        line_find(line, DOCTOR_TODO, "A body of 60 KiB is refused by a proxy on the way");
        line_advise(line, "Let the proxy take bodies of 256 KiB (nginx: client_max_body_size 1m)");
        return;
    }
    line_find(line, DOCTOR_TODO,
              "A proxy on the way changes bodies or drops X-Kounta-Signature (status %d), so no "
              "signature can match",
              visit->status);
    line_advise(line, "Let the proxy pass bodies and headers as they are: no rewriting, no "
                      "filtering, no web application firewall on /oseries/");
}
