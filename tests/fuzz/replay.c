/* Runs a fuzz driver over every file of the folders named on the command line, in order of name. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Larger than any body that the drivers' subjects accept. */
#define INPUT_MAX (256 * 1024)

static bool replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(INPUT_MAX);
    CHECK(file != NULL && bytes != NULL);
    size_t size = fread(bytes, 1, INPUT_MAX, file);
    CHECK(feof(file) || size < INPUT_MAX);
    fclose(file);
    /* Memory that ends where the input ends, so that the sanitizer sees a read beyond it. */
    uint8_t *input = malloc(size + (size == 0));
    CHECK(input != NULL);
    memcpy(input, bytes, size);
    free(bytes);
    fprintf(stderr, "%s\n", path); /* before the run: after a crash the last one is the culprit */
    bool is_good = LLVMFuzzerTestOneInput(input, size) == 0;
    free(input);
    return is_good;
}

/* A folder that is not there holds nothing: no driver has had a regression at first. */
static size_t replay_folder(const char *folder, bool *is_good)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    size_t files = 0;
    for (int i = 0; i < count; i++) {
        char path[4096];
        int length = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        CHECK(length > 0 && (size_t)length < sizeof(path));
        if (entries[i]->d_name[0] != '.') {
            *is_good = replay_file(path) && *is_good;
            files++;
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return files;
}

int main(int argc, char **argv)
{
    size_t files = 0;
    bool is_good = true;
    for (int i = 1; i < argc; i++)
        files += replay_folder(argv[i], &is_good);
    fprintf(stderr, "%zu inputs\n", files);
    return files > 0 && is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
