/* written_bytes.h - one bit for each byte of device memory: was it written? Code that writes
 * device memory outside of kernels (copies, memsets) calls set or copy, and code that allocates or frees it calls
 * clear. */
#ifndef PTX_WRITTEN_BYTES_H
#define PTX_WRITTEN_BYTES_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace ptx
{

class WrittenBytes
{
  public:
    void set(uintptr_t at, size_t bytes);   /* a copy from the host, a memset */
    void clear(uintptr_t at, size_t bytes); /* an allocation, a free */
    /* A copy inside device memory: bytes that nothing wrote stay so. The ranges do not overlap. */
    void copy(uintptr_t to, uintptr_t from, size_t bytes);
    /* The offset of the first byte that nothing wrote; `bytes` if there is none. */
    size_t first_unwritten(uintptr_t at, size_t bytes) const;

  private:
    enum : size_t { PAGE = 1 << 16 };
    struct Page {
        uint64_t bits[PAGE / 64];
    };
    Page *find(uintptr_t at) const;
    Page &need(uintptr_t at);
    std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages; /* by at / PAGE */
    mutable uintptr_t last_number = ~(uintptr_t)0;
    mutable Page *last = nullptr;
};

} // namespace ptx
#endif
