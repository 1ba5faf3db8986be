/* The interface between the scheduler (scheduler.cpp), which runs one kernel, and the runtime (cuda_runtime.cpp), which
 * decides when to run it. */
#ifndef EMU_SCHEDULER_H
#define EMU_SCHEDULER_H

#include "cuda_emu.h"

/* Functions of the program's sanitizers, if any. The emulator itself is compiled without sanitizers. */
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

enum : size_t { EMU_STATIC_SHARED = 48 * 1024 }; /* limit without opting in */

/* Runs the kernel without fibres, or returns false. NULL in every build except `ptx` (ptx_launch.cpp). */
extern bool (*emu_other_machine)(const EmuKernel &kernel, size_t shared_limit);

/* Called when anything other than a kernel changes device memory. NULL in every build but `ptx`. */
struct EmuMemoryWatch {
    void (*wrote)(const void *at, size_t bytes);
    void (*copied)(const void *to, const void *from, size_t bytes); /* within device memory */
    void (*cleared)(const void *at, size_t bytes);                  /* allocated or freed: the contents are uninitialised */
    void (*other)(const std::function<void()> &work);               /* runs work that may write anywhere */
};
extern const EmuMemoryWatch *emu_memory_watch;

/* shared_limit: bytes of static and dynamic shared memory together that this launch may use. Blocks until the kernel is
 * done. */
void emu_run(const EmuKernel &kernel, size_t shared_limit);
void emu_check_read_only(const char *kernel); /* called after the last block; read_only.cpp */
void emu_begin_shared(size_t dynamic_bytes, size_t limit); /* for one block; limit: as shared_limit above */
void emu_end_shared(void);
void emu_poison(void *p, size_t bytes); /* fills with NaN in every floating-point type */

/* EMU_SCHEDULE: 0 in order, 1 reverse, n shuffled with seed n. Read each time: a test may compare schedules. */
unsigned emu_schedule(void);

#endif
