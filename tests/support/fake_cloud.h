/*
 * The fake Lightspeed cloud as a process of its own, for tests: started, connected to by way of its
 * consent page, and driven over its control address.
 */
#ifndef COUNTERPART_TESTS_FAKE_CLOUD_H
#define COUNTERPART_TESTS_FAKE_CLOUD_H

#include "base/text.h"

#include <sys/types.h>

#define FAKE_CLIENT "demo-client"
#define FAKE_SECRET "demo-client-secret"
#define FAKE_REPLY_MAX (256 * 1024)

struct fake_cloud {
    pid_t pid;
    int out; /* its standard output */
    char api_url[128], token_url[128], authorize_url[128], control_url[128];
    char access_token[64], refresh_token[64]; /* of fake_cloud_connect */
};

void fake_cloud_start(struct fake_cloud *cloud, int64_t seed);
void fake_cloud_stop(struct fake_cloud *cloud); /* CHECKs that it ended well */
/* Consent for the demo company, and the code exchanged. */
void fake_cloud_connect(struct fake_cloud *cloud);
/* A call of the control address; 2xx is CHECKed. The body is good until the next call. body NULL:
 * none. */
const char *fake_cloud_control(struct fake_cloud *cloud, const char *method, const char *path,
                               const char *body);
/* The same of the API itself, as the demo company after fake_cloud_connect. */
const char *fake_cloud_call(struct fake_cloud *cloud, const char *method, const char *path,
                            const char *body);
/* The number, or the text, that stands behind "name": in a JSON text; CHECKed to be there. */
int64_t fake_cloud_number(const char *json, const char *name);

#endif
