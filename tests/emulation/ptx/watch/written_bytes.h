/* written_bytes.h - keeps one bit for each byte of device memory, which is set if the byte was written. Call set or
 * copy after a write outside of kernels (a copy or memset), and clear after an allocation or a free. */
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
    void set(uintptr_t at, size_t bytes);   /* after a copy from the host or a memset */
    void clear(uintptr_t at, size_t bytes); /* after an allocation or a free */
    /* Call this after a copy inside device memory. Copies of unwritten bytes count as unwritten. The ranges must not
     * overlap. */
    void copy(uintptr_t to, uintptr_t from, size_t bytes);
    /* Returns the offset of the first unwritten byte, or `bytes` if all bytes are written. */
    size_t first_unwritten(uintptr_t at, size_t bytes) const;

  private:
    enum : size_t { PAGE = 1 << 16 };
    struct Page {
        uint64_t bits[PAGE / 64];
    };
    Page *find(uintptr_t at) const;
    Page &need(uintptr_t at);
    std::unordered_map<uintptr_t, std::unique_ptr<Page>> pages; /* key: address / PAGE */
    mutable uintptr_t last_number = ~(uintptr_t)0;
    mutable Page *last = nullptr;
};

} // namespace ptx
#endif
