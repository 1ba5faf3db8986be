/* replay.c - runs a fuzz target on the files of a corpus. It can be built with any compiler. The arguments are files
 * and folders. Prints the number of files. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/base/file.h"
#include "tests/fuzz/fuzz.h"

static int replay(const char *path)
{
    char *bytes = NULL;
    size_t size = 0;
    if (sq_file_read(path, 1 << 26, &bytes, &size) != SQ_OK) {
        (void)fprintf(stderr, "%s\n", sq_error_text());
        exit(1);
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, size); /* aborts on failure */
    free(bytes);
    return 1;
}

static int replay_folder(const char *folder)
{
    int count = 0;
    DIR *list = opendir(folder);
    for (struct dirent *e = list ? readdir(list) : NULL; e; e = readdir(list)) {
        char path[4096];
        (void)snprintf(path, sizeof path, "%.2048s/%s", folder, e->d_name);
        count += e->d_name[0] != '.' ? replay(path) : 0;
    }
    if (!list)
        return replay(folder);
    (void)closedir(list); /* closing a folder that was only read cannot lose data */
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;
    for (int i = 1; i < argc; i++)
        count += replay_folder(argv[i]);
    (void)printf("%d inputs\n", count);
    return count == 0;
}
