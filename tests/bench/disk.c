/*
 * The disk alone: how often a second can 16 KiB be appended and flushed? Prints one JSON line with
 * the rate and the percentiles of one append with its fdatasync, in microseconds.
 * usage: bench_disk FOLDER SECONDS
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A commit of about four pages, as a busy write-ahead log sees it. */
#define APPEND_BYTES 16384
/* More than a minute of the fastest flush there is (10 us). */
#define SAMPLES_MAX 8000000

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int compare(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left;
    int32_t b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static int measure(int file, int64_t seconds, int32_t *samples, int32_t *count)
{
    static char block[APPEND_BYTES];
    memset(block, 'c', sizeof(block));
    int64_t end_us = now_us() + seconds * 1000000;
    for (int64_t begin_us = now_us(); begin_us < end_us && *count < SAMPLES_MAX;) {
        if (write(file, block, sizeof(block)) != (ssize_t)sizeof(block) || fdatasync(file) != 0)
            return -1;
        int64_t done_us = now_us();
        samples[(*count)++] = (int32_t)(done_us - begin_us);
        begin_us = done_us;
    }
    return 0;
}

int main(int argc, char **argv)
{
    char path[4096];
    if (argc != 3 || snprintf(path, sizeof(path), "%s/disk.bench", argv[1]) >= (int)sizeof(path)) {
        fputs("usage: bench_disk FOLDER SECONDS\n", stderr);
        return 2;
    }
    int64_t seconds = strtoll(argv[2], NULL, 10);
    static int32_t samples[SAMPLES_MAX];
    int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    int32_t count = 0;
    if (seconds < 1 || file < 0 || measure(file, seconds, samples, &count) != 0) {
        perror("bench_disk");
        return 1;
    }
    qsort(samples, (size_t)count, sizeof(*samples), compare);
    printf("{\"per_s\":%" PRId64 ",\"p50_us\":%" PRId32 ",\"p99_us\":%" PRId32 "}\n",
           count / seconds, samples[count / 2], samples[(int64_t)count * 99 / 100]);
    close(file);
    unlink(path);
    return 0;
}
