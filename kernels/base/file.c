/* Functions for files, folders, links and locks. Files are replaced atomically. */
#include "kernels/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/base/clock.h"
#include "kernels/base/text.h"

#define LOCK_SECONDS 5.0 /* time to wait for a process that is exiting */

static sq_status fail_errno(const char *path)
{
    const int why = errno; /* errno is restored below for the caller */
    const sq_status status = sq_fail(SQ_IO, "%s: %s", path, strerror(why));
    errno = why;
    return status;
}

/* Closes the file and returns `status`. If `status` is SQ_OK and closing fails, returns the failure of closing. Sets
 * errno for the returned failure. */
static sq_status close_written(int file, const char *path, sq_status status)
{
    const int why = errno;
    if (close(file) != 0 && status == SQ_OK)
        return fail_errno(path);
    errno = why;
    return status;
}

static sq_status write_all(int file, const char *path, const void *data, size_t bytes)
{
    const char *next = data;
    while (bytes > 0) {
        const ssize_t done = write(file, next, bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail_errno(path);
        next += done;
        bytes -= (size_t)done;
    }
    return SQ_OK;
}

static sq_status write_temporary(const char *path, const sq_piece *pieces, int piece_count)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return fail_errno(path);
    sq_status status = SQ_OK;
    for (int i = 0; status == SQ_OK && i < piece_count; i++)
        status = write_all(file, path, pieces[i].data, pieces[i].bytes);
    if (status == SQ_OK && fsync(file) != 0)
        status = fail_errno(path);
    return close_written(file, path, status);
}

sq_status sq_file_append(const char *path, size_t at, const void *data, size_t bytes)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
        return fail_errno(path);
    sq_status status = ftruncate(file, (off_t)at) == 0 && lseek(file, (off_t)at, SEEK_SET) == (off_t)at
                           ? write_all(file, path, data, bytes)
                           : fail_errno(path);
    if (status != SQ_OK) {
        const int why = errno;
        const bool is_truncated = ftruncate(file, (off_t)at) == 0;
        (void)is_truncated; /* if false, the next write truncates the file; readers skip incomplete lines */
        errno = why;
    }
    return close_written(file, path, status);
}

void sq_path_parent(char *out, size_t bytes, const char *path)
{
    (void)snprintf(out, bytes, "%s", path);
    char *slash = strrchr(out, '/');
    if (!slash)
        (void)snprintf(out, bytes, ".");
    else if (slash == out)
        out[1] = 0;
    else
        *slash = 0;
}

static sq_status temporary_name(char *out, const char *path)
{
    const int needed = snprintf(out, SQ_PATH_BYTES, "%s.tmp", path);
    return needed < SQ_PATH_BYTES
               ? SQ_OK
               : sq_fail(SQ_INVALID, "%.200s...: the path is too long: expected at most %d bytes", path, SQ_PATH_BYTES);
}

sq_status sq_file_replace(const char *path, const sq_piece *pieces, int piece_count)
{
    char temporary[SQ_PATH_BYTES], folder[SQ_PATH_BYTES];
    SQ_TRY(temporary_name(temporary, path));
    sq_status status = write_temporary(temporary, pieces, piece_count);
    if (status == SQ_OK && rename(temporary, path) != 0)
        status = fail_errno(path);
    if (status != SQ_OK) {
        const int why = errno;
        (void)unlink(temporary); /* best effort */
        errno = why;
        return status;
    }
    sq_path_parent(folder, sizeof folder, path);
    return sq_folder_sync(folder);
}

sq_status sq_file_begin(sq_file_writer *out, const char *path)
{
    *out = (sq_file_writer){NULL, NULL, 0};
    out->stream = open_memstream(&out->text, &out->bytes);
    return out->stream ? SQ_OK : sq_fail(SQ_NO_MEMORY, "%s: no memory for its content", path);
}

sq_status sq_file_finish(sq_file_writer *w, const char *path)
{
    const bool has_all = !ferror(w->stream), is_whole = fclose(w->stream) == 0 && has_all;
    const sq_piece piece = {w->text, w->bytes};
    const sq_status status =
        is_whole ? sq_file_replace(path, &piece, 1) : sq_fail(SQ_NO_MEMORY, "%s: no memory for its content", path);
    free(w->text);
    return status;
}

void sq_file_discard(sq_file_writer *w)
{
    (void)fclose(w->stream); /* memory */
    free(w->text);
}

sq_status sq_file_read(const char *path, size_t limit, char **out, size_t *bytes)
{
    struct stat info;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return fail_errno(path);
    sq_status status = SQ_OK;
    char *text = NULL;
    size_t done = 0;
    if (fstat(file, &info) != 0)
        status = fail_errno(path);
    else if (!S_ISREG(info.st_mode))
        status = sq_fail(SQ_IO, "%s: not a regular file", path);
    else if ((size_t)info.st_size > limit)
        status =
            sq_fail(SQ_INVALID, "%s: found %lld bytes, expected at most %zu", path, (long long)info.st_size, limit);
    else if (!(text = malloc((size_t)info.st_size + 1)))
        status = sq_fail(SQ_NO_MEMORY, "%s: %lld bytes", path, (long long)info.st_size);
    while (status == SQ_OK && done < (size_t)info.st_size) {
        const ssize_t got = read(file, text + done, (size_t)info.st_size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = fail_errno(path);
        else if (got == 0)
            break; /* the file was truncated after fstat */
        else
            done += (size_t)got;
    }
    (void)close(file); /* nothing was written */
    if (status != SQ_OK) {
        free(text);
        return status;
    }
    text[done] = 0;
    *out = text;
    *bytes = done;
    return SQ_OK;
}

sq_status sq_file_read_text(const char *path, size_t limit, char **out)
{
    char *text = NULL;
    size_t bytes = 0;
    SQ_TRY(sq_file_read(path, limit, &text, &bytes));
    if (strlen(text) != bytes) {
        free(text);
        return sq_fail(SQ_INVALID, "%s: found a zero byte, expected text", path);
    }
    *out = text;
    return SQ_OK;
}

static sq_status make_one(const char *path)
{
    struct stat info;
    if (mkdir(path, 0777) == 0)
        return SQ_OK;
    const int error = errno;
    if (error == EEXIST && stat(path, &info) == 0) {
        if (S_ISDIR(info.st_mode))
            return SQ_OK;
        errno = ENOTDIR;
        return sq_fail(SQ_IO, "%s: found a file, expected a folder", path);
    }
    errno = error;
    return fail_errno(path);
}

sq_status sq_folder_make(const char *path)
{
    char part[SQ_PATH_BYTES];
    if (snprintf(part, sizeof part, "%s", path) >= SQ_PATH_BYTES)
        return sq_fail(SQ_INVALID, "%.200s...: the path is too long: expected at most %d bytes", path, SQ_PATH_BYTES);
    for (char *slash = strchr(part + 1, '/'); *part && slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        SQ_TRY(make_one(part));
        *slash = '/';
    }
    return make_one(part);
}

sq_status sq_folder_lock(const char *path, int *lock)
{
    const double begin = sq_seconds_now();
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(path);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        if (sq_seconds_now() - begin > LOCK_SECONDS) {
            (void)close(fd);
            return sq_fail(SQ_INVALID, "%s: another process is writing in it", path);
        }
        sq_pause(); /* a killed process holds the lock until it has exited */
    }
    *lock = fd;
    return SQ_OK;
}

void sq_folder_unlock(int lock)
{
    if (lock != SQ_NO_LOCK)
        (void)close(lock); /* closing the folder unlocks it */
}

sq_status sq_folder_scratch(char *out, size_t bytes, const char *what)
{
    const char *root = getenv("TMPDIR");
    const int needed = snprintf(out, bytes, "%s/%s-XXXXXX", root && *root ? root : "/tmp", what);
    if (needed < 0 || (size_t)needed >= bytes)
        return sq_fail(SQ_INVALID, "TMPDIR: the path is too long: expected at most %zu bytes", bytes);
    return mkdtemp(out) ? SQ_OK : sq_fail(SQ_IO, "%s: cannot create a temporary folder: %s", out, strerror(errno));
}

sq_status sq_folder_sync(const char *path)
{
    const int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return fail_errno(path);
    sq_status status = SQ_OK;
    if (fsync(folder) != 0 && errno != EINVAL) /* some file systems cannot sync a folder */
        status = fail_errno(path);
    return close_written(folder, path, status);
}

sq_status sq_path_remove(const char *path)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? SQ_OK : fail_errno(path);
    if (!S_ISDIR(info.st_mode))
        return unlink(path) == 0 || errno == ENOENT ? SQ_OK : fail_errno(path);
    DIR *folder = opendir(path);
    if (!folder)
        return fail_errno(path);
    sq_status status = SQ_OK;
    for (struct dirent *entry = readdir(folder); status == SQ_OK && entry; entry = readdir(folder)) {
        char inner[SQ_PATH_BYTES];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        status = sq_text_path(inner, sizeof inner, path, entry->d_name);
        if (status == SQ_OK)
            status = sq_path_remove(inner);
    }
    (void)closedir(folder); /* nothing was written */
    if (status == SQ_OK && rmdir(path) != 0)
        status = fail_errno(path);
    return status;
}

bool sq_path_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

bool sq_path_find(char *out, size_t bytes, const char *folder, const char *name)
{
    return sq_text_path(out, bytes, folder, name) == SQ_OK && sq_path_exists(out);
}

sq_status sq_link_replace(const char *path, const char *target)
{
    char temporary[SQ_PATH_BYTES], folder[SQ_PATH_BYTES];
    SQ_TRY(temporary_name(temporary, path));
    SQ_TRY(sq_path_remove(temporary));
    if (symlink(target, temporary) != 0)
        return fail_errno(temporary);
    if (rename(temporary, path) != 0) {
        const sq_status status = fail_errno(path);
        const int why = errno;
        (void)unlink(temporary); /* best effort */
        errno = why;
        return status;
    }
    sq_path_parent(folder, sizeof folder, path);
    return sq_folder_sync(folder);
}
