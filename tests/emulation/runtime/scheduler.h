/* scheduler.h - the interface between the scheduler (scheduler.cpp), which runs one kernel, and the runtime
 * (cuda_runtime.cpp), which decides when to run a kernel. */
#ifndef EMU_SCHEDULER_H
#define EMU_SCHEDULER_H

#include "cuda_emu.h"

/* Functions of the program's sanitizers. A function is NULL if the program is linked without its sanitizer. The
 * emulator itself is compiled without sanitizers. */
extern "C" {
void __asan_poison_memory_region(const volatile void *, size_t) __attribute__((weak));
void __asan_unpoison_memory_region(const volatile void *, size_t) __attribute__((weak));
void *__tsan_get_current_fiber(void) __attribute__((weak));
void *__tsan_create_fiber(unsigned) __attribute__((weak));
void __tsan_destroy_fiber(void *) __attribute__((weak));
void __tsan_switch_to_fiber(void *, unsigned) __attribute__((weak));
void __tsan_acquire(void *) __attribute__((weak));
void __tsan_release(void *) __attribute__((weak));
void __tsan_ignore_thread_begin(void) __attribute__((weak));
void __tsan_ignore_thread_end(void) __attribute__((weak));
}

enum : size_t { EMU_STATIC_SHARED = 48 * 1024 }; /* limit of a launch that has not opted in to more */

/* Runs the kernel without fibres, or returns false. The pointer is NULL in every build except `ptx`
 * (ptx_launch.cpp). */
extern bool (*emu_other_machine)(const EmuKernel &kernel, size_t shared_limit);

/* Functions that are called when anything other than a kernel changes device memory. NULL in every build except
 * `ptx`. */
struct EmuMemoryWatch {
    void (*wrote)(const void *at, size_t bytes);
    void (*copied)(const void *to, const void *from, size_t bytes); /* a copy inside device memory */
    /* An allocation or a free: the contents are uninitialised. */
    void (*cleared)(const void *at, size_t bytes);
    void (*other)(const std::function<void()> &work);               /* runs work that may write to any device memory */
};
extern const EmuMemoryWatch *emu_memory_watch;

/* Runs a kernel, and returns when the kernel is done. shared_limit: the bytes that static and dynamic shared memory may
 * take together. */
void emu_run(const EmuKernel &kernel, size_t shared_limit);
/* Reports changes of read-only memory; called after the last block; read_only.cpp. */
void emu_check_read_only(const char *kernel);
/* Prepares the shared memory of one block; limit: as shared_limit above. */
void emu_begin_shared(size_t dynamic_bytes, size_t limit);
void emu_end_shared(void);
void emu_poison(void *p, size_t bytes); /* fills memory with bytes that are NaN in every floating-point type */

/* Returns EMU_SCHEDULE: 0 in order, 1 reverse, n shuffled with seed n. It is read in each call, so a test may compare
 * schedules. */
unsigned emu_schedule(void);

#endif
