/* atomics.cpp - runs atom and red in global and shared memory, in three schedules, and compares the results with the
 * same operations in sequence. The order of atomics is undefined. Therefore, the last value is compared only if it does
 * not depend on the order. The returned values must form a chain, in which each value is the result of the operation
 * before it. */
#include "support.h"

#include <algorithm>
#include <array>
#include <type_traits>

using namespace test;

namespace
{

enum { BLOCKS = 3, THREADS_IN_BLOCK = 96, CELLS = 7, ALL = BLOCKS * THREADS_IN_BLOCK };

template <class T> T apply(const std::string &name, T old, T v, T c)
{
    typedef typename std::make_unsigned<T>::type U;
    if (name == "add")
        return (T)((U)old + (U)v);
    if (name == "min")
        return std::min(old, v);
    if (name == "max")
        return std::max(old, v);
    if (name == "and")
        return old & v;
    if (name == "or")
        return old | v;
    if (name == "xor")
        return old ^ v;
    if (name == "exch")
        return v;
    if (name == "inc")
        return old >= v ? 0 : old + 1;
    if (name == "dec")
        return old == 0 || old > v ? v : old - 1;
    return old == v ? c : old; /* the operation is cas */
}

/* Returns a kernel in which thread t operates on cell t % CELLS with an operand %x1 from memory. Memory contains CELLS
 * cells, and then for each thread the operand, the third operand and the result. */
std::string text(const std::string &space, const std::string &name, const std::string &type, size_t bytes, bool returns)
{
    const std::string b = std::to_string(8 * bytes), size = std::to_string(bytes),
                      first = std::to_string(CELLS * bytes);
    const std::string cell = space == "shared" ? "%r12" : "%rd6", thirds = name == "cas" ? ", %x2" : "";
    std::string s = "rem.u32 %r10, %r1, " + std::to_string(CELLS) + ";\nmul.lo.u32 %r11, %r10, " + size +
                    ";\ncvt.u64.u32 %rd5, %r11;\nadd.s64 %rd6, %rd1, %rd5;\n"
                    "mov.u32 %r12, cells;\nadd.u32 %r12, %r12, %r11;\n"
                    "mul.wide.u32 %rd7, %r1, " +
                    std::to_string(3 * bytes) +
                    ";\nadd.s64 %rd7, %rd1, %rd7;\n"
                    "ld.global.b" +
                    b + " %x1, [%rd7+" + first + "];\nld.global.b" + b + " %x2, [%rd7+" +
                    std::to_string((CELLS + 1) * bytes) + "];\n";
    if (space == "shared") /* the first CELLS threads copy the cells to shared memory */
        s += "setp.ge.u32 %p1, %r2, " + std::to_string(CELLS) + ";\n@%p1 bra $skip;\nld.global.b" + b +
             " %x0, [%rd6];\nst.shared.b" + b + " [%r12], %x0;\n$skip:\nbar.sync 0;\n";
    s += returns ? "atom." + space + "." + name + "." + type + " %x0, [" + cell + "], %x1" + thirds + ";\n"
                 : "red." + space + "." + name + "." + type + " [" + cell + "], %x1;\nmov.b" + b + " %x0, 0;\n";
    s += "st.global.b" + b + " [%rd7+" + std::to_string((CELLS + 2) * bytes) + "], %x0;\n";
    if (space == "shared")
        s += "bar.sync 0;\n@%p1 bra $end;\nld.shared.b" + b + " %x0, [%r12];\nst.global.b" + b +
             " [%rd6], %x0;\n$end:\n";
    return kernel(s, ".reg .b" + b + " %x<3>;\n.shared .align 8 .b8 cells[" + std::to_string(CELLS * bytes) + "];\n");
}

/* Returns true if the operations on one cell have an order that explains all their returned values. The search is
 * greedy. */
template <class T> bool is_chain(const std::string &name, T first, T last, std::vector<std::array<T, 3>> operations)
{
    T now = first;
    while (!operations.empty()) {
        size_t k = 0;
        size_t same = operations.size(); /* index of the next operation; one that changes nothing is preferred */
        for (k = 0; k < operations.size(); k++)
            if (operations[k][2] == now) {
                same = k;
                if (apply(name, now, operations[k][0], operations[k][1]) == now)
                    break;
            }
        if (same == operations.size())
            return false;
        k = k < operations.size() ? k : same;
        now = apply(name, now, operations[k][0], operations[k][1]);
        operations.erase(operations.begin() + (long)k);
    }
    return now == last;
}

/* Returns true if the result depends on the order of the operations. */
bool is_ordered(const std::string &name)
{
    return name == "exch" || name == "cas" || name == "inc" || name == "dec";
}

/* Returns the operand of a thread. The operands of exch, and the new values of cas, are all different, so only one
 * order of the operations is possible. */
template <class T> T operand(Random &r, const std::string &name, unsigned thread, unsigned count)
{
    if (name == "exch")
        return (T)(100 + thread);
    if (name == "cas")
        return (T)(r.next() % 2 ? r.next() % 11 : 100 + r.next() % count);
    return (T)(r.next() >> (r.next() & 31));
}

template <class T>
void atomics(const char *type, std::initializer_list<const char *> names, const char *space, bool returns)
{
    const bool is_shared = std::string(space) == "shared";
    for (const char *name : names)
        for (unsigned schedule : {0u, 1u, 7u}) {
            if (!returns && is_ordered(name))
                continue;
            Machine m(text(space, name, type, sizeof(T), returns), (CELLS + 3 * ALL) * sizeof(T));
            Random r(schedule + sizeof(T));
            T *v = m.as<T>(), first[CELLS];
            for (int k = 0; k < CELLS; k++)
                first[k] = v[k] = (T)(r.next() % 11);
            const unsigned blocks = is_shared ? 1 : BLOCKS, count = blocks * THREADS_IN_BLOCK;
            for (unsigned t = 0; t < count; t++)
                v[CELLS + 3 * t] = operand<T>(r, name, t, count), v[CELLS + 3 * t + 1] = (T)(100 + t);
            m.launch.schedule = schedule;
            m.run_well(blocks, THREADS_IN_BLOCK);
            for (int cell = 0; cell < CELLS; cell++) {
                std::vector<std::array<T, 3>> operations;
                T serial = first[cell];
                for (unsigned t = 0; t < count; t++)
                    if (t % CELLS == (unsigned)cell) {
                        operations.push_back({v[CELLS + 3 * t], v[CELLS + 3 * t + 1], v[CELLS + 3 * t + 2]});
                        serial = apply(name, serial, operations.back()[0], operations.back()[1]);
                    }
                if (!is_ordered(name))
                    check(v[cell] == serial, "%s %s.%s, schedule %u: cell %d is %lld, expected %lld", space, name, type,
                          schedule, cell, (long long)v[cell], (long long)serial);
                if (returns)
                    check(is_chain<T>(name, first[cell], v[cell], operations),
                          "%s %s.%s, schedule %u: the results of cell %d form no chain", space, name, type, schedule,
                          cell);
            }
        }
}

} // namespace

int main()
{
    for (const char *space : {"global", "shared"})
        for (const bool returns : {true, false}) {
            atomics<uint32_t>("u32", {"add", "min", "max", "inc", "dec"}, space, returns);
            atomics<int32_t>("s32", {"add", "min", "max"}, space, returns);
            atomics<uint64_t>("u64", {"add", "min", "max"}, space, returns);
            atomics<int64_t>("s64", {"min", "max"}, space, returns);
            atomics<uint32_t>("b32", {"and", "or", "xor", "exch", "cas"}, space, returns);
            atomics<uint64_t>("b64", {"and", "or", "xor", "exch", "cas"}, space, returns);
        }
    return finish("atomics");
}
