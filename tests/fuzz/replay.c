/*
 * Feeds every file of the given folders to a fuzz target, once. A folder that is not there holds
 * nothing; a run that fed nothing at all has proved nothing and fails.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bodies of registers are bounded at 64 KiB; inputs carry a few bytes of choices beside. */
#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int feed_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return -1;
    }
    /* of exactly the input's size, so that the sanitizer sees a read behind its end */
    uint8_t *whole = malloc(INPUT_MAX);
    size_t size = whole == NULL ? 0 : fread(whole, 1, INPUT_MAX, file);
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (data != NULL && whole != NULL) {
        memcpy(data, whole, size);
        LLVMFuzzerTestOneInput(data, size);
    }
    free(data);
    free(whole);
    fclose(file);
    return data == NULL ? -1 : 0;
}

static int feed_folder(const char *folder)
{
    DIR *entries = opendir(folder);
    int fed = 0;
    if (entries == NULL)
        return 0;
    for (struct dirent *entry; fed >= 0 && (entry = readdir(entries)) != NULL;) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        fed = feed_file(path) == 0 ? fed + 1 : -1;
    }
    closedir(entries);
    return fed;
}

int main(int argc, char **argv)
{
    int fed = 0;
    for (int i = 1; i < argc; i++) {
        int count = feed_folder(argv[i]);
        if (count < 0)
            return EXIT_FAILURE;
        fed += count;
    }
    printf("%d inputs\n", fed);
    return fed > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
