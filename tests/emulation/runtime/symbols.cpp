/* symbols.cpp - reads the symbol table of the running program's file. dladdr() is not used, because it does not find
 * static functions. */
#include "symbols.h"

#include <cstdint>
#include <elf.h>
#include <fstream>
#include <iterator>
#include <link.h>
#include <map>
#include <string>
#include <vector>

static std::map<uintptr_t, std::string> read_names(void)
{
    std::map<uintptr_t, std::string> names;
    std::ifstream in("/proc/self/exe", std::ios::binary);
    const std::vector<char> file((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const Elf64_Ehdr *head = reinterpret_cast<const Elf64_Ehdr *>(file.data());
    const Elf64_Shdr *sections = reinterpret_cast<const Elf64_Shdr *>(file.data() + head->e_shoff);
    for (int i = 0; i < head->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB)
            continue;
        const char *text = file.data() + sections[sections[i].sh_link].sh_offset;
        const Elf64_Sym *symbols = reinterpret_cast<const Elf64_Sym *>(file.data() + sections[i].sh_offset);
        for (size_t k = 0; k < sections[i].sh_size / sizeof *symbols; k++)
            if (ELF64_ST_TYPE(symbols[k].st_info) == STT_FUNC && symbols[k].st_value)
                names.emplace(symbols[k].st_value, text + symbols[k].st_name);
    }
    return names;
}

static uintptr_t load_address(void)
{
    uintptr_t base = 0;
    dl_iterate_phdr([](dl_phdr_info *info, size_t, void *to) { return *static_cast<uintptr_t *>(to) = info->dlpi_addr, 1; },
                    &base); /* the first entry is the program */
    return base;
}

const char *emu_symbol_at(const void *function)
{
    static const std::map<uintptr_t, std::string> names = read_names();
    static const uintptr_t base = load_address();
    const auto found = names.find((uintptr_t)function - base);
    return found == names.end() ? nullptr : found->second.c_str();
}
