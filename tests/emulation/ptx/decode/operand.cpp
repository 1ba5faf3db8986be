/* operand.cpp - maps operands to offsets in the register file, and checks their types. */
#include "decode/decode.h"

#include <algorithm>
#include <cstdlib>

namespace ptx
{

std::string type_of(const Instruction &i, int from_end)
{
    const int n = (int)i.parts.size() - 1 - from_end;
    return n > 0 ? i.parts[(size_t)n] : "";
}

unsigned bits_of_type(const std::string &type)
{
    const size_t digit = type.find_first_of("0123456789");
    if (type == "pred" || digit == std::string::npos)
        return type == "pred" ? 1 : 0;
    return (unsigned)std::atoi(type.c_str() + digit) * (type.find("x2") != std::string::npos ? 2 : 1);
}

unsigned space_of(const Instruction &i)
{
    static const std::pair<const char *, unsigned> spaces[] = {{"global", GLOBAL},      {"shared", SHARED},
                                                               {"shared::cta", SHARED}, {"local", LOCAL},
                                                               {"param", PARAM},        {"const", CONSTANT}};
    for (const std::string &p : i.parts)
        for (const auto &s : spaces)
            if (p == s.first)
                return s.second;
    return GENERIC;
}

bool Decoder::has(const Instruction &i, const char *part) const
{
    return std::find(i.parts.begin() + 1, i.parts.end(), part) != i.parts.end();
}

const Register &Decoder::register_of(const Operand &o) const
{
    if (o.reg < 0)
        throw Fault("operand " + o.text + " is no register");
    return function.registers[(size_t)o.reg];
}

void Decoder::check(const Operand &o, const std::string &type, Width width) const
{
    const Register &r = register_of(o);
    const unsigned bits = bits_of_type(type);
    bool fits = bits != 0;
    if (type == "pred" || r.kind == PREDICATE) {
        fits = type == "pred" && r.kind == PREDICATE;
    } else {
        const char letter = type[0];
        const bool is_float = letter == 'f', is_integer = letter == 's' || letter == 'u',
                   is_narrow_float = is_float && bits == 16;
        fits = fits && (r.bits == bits || (width == OR_WIDER && r.bits > bits && !(is_float && r.type == 'f')));
        if (r.type == 'f')
            fits = fits && (is_float || letter == 'b' || is_narrow_float);
        if (r.type == 's' || r.type == 'u')
            fits = fits && (is_integer || letter == 'b') && type[1] != 'f';
    }
    if (!fits)
        throw Fault("register " + o.text + " of type ." +
                    (r.kind == PREDICATE ? "pred" : r.type + std::to_string(r.bits)) +
                    " does not fit an operand of type ." + type);
}

uint32_t Decoder::constant(uint64_t value, bool is_wide_)
{
    const auto found = constants.find({value, is_wide_});
    if (found != constants.end())
        return found->second;
    const uint32_t at = scratch(is_wide_ ? 256 : 128);
    program.constants.push_back({at, value, is_wide_});
    return constants[{value, is_wide_}] = at;
}

uint32_t Decoder::scratch(size_t bytes)
{
    const uint32_t at = (uint32_t)program.file_bytes;
    program.file_bytes += bytes;
    return at;
}

uint64_t Decoder::symbol(const std::string &name, bool &is_found)
{
    is_found = true;
    for (const std::vector<Variable> *list :
         {&function.parameters, (const std::vector<Variable> *)&program.shared, &function.local})
        for (const Variable &v : *list)
            if (v.name == name)
                return v.offset;
    for (const ModuleVariable &v : module.variables)
        if (v.name == name)
            return (uint64_t)(uintptr_t)v.memory.get();
    is_found = false;
    return 0;
}

uint32_t Decoder::target(const Operand &o, const std::string &type, Width width)
{
    check(o, type, width);
    return place[(size_t)o.reg];
}

uint32_t Decoder::source(const Operand &o, const std::string &type, Width width)
{
    const bool wide = is_wide(type);
    if (o.kind == REGISTER) {
        check(o, type, width);
        if (!o.is_negated)
            return place[(size_t)o.reg];
        throw Fault("a negated operand is not supported here: !" + o.text);
    }
    if (o.kind == IMMEDIATE) {
        const std::string &t = o.text;
        const bool is_bits = t.size() > 2 && t[0] == '0' && (t[1] == 'f' || t[1] == 'F' || t[1] == 'd' || t[1] == 'D');
        uint64_t v = is_bits       ? std::strtoull(t.c_str() + 2, nullptr, 16)
                     : t[0] == '-' ? (uint64_t)std::strtoll(t.c_str(), nullptr, 0)
                                   : std::strtoull(t.c_str(), nullptr, 0);
        if (is_bits && (t.size() > 10) != wide)
            throw Fault("literal " + t + " does not fit an operand of type ." + type);
        if (type == "pred")
            v = v ? FULL : 0;
        else if (!wide)
            v = bits_of_type(type) == 16 ? (uint16_t)v : (uint32_t)v;
        return constant(v, wide);
    }
    bool is_found;
    const uint64_t v = symbol(o.text, is_found);
    if (o.kind != SYMBOL || !is_found)
        throw Fault("operand is not understood: " + o.text);
    return constant(v, wide);
}

void Decoder::address(const Operand &o, uint32_t &base, int64_t &offset, bool &wide)
{
    if (o.kind != ADDRESS)
        throw Fault("operand " + o.text + " is no address");
    offset = o.offset, base = NOWHERE, wide = true;
    if (o.reg >= 0) {
        const Register &r = register_of(o);
        if (r.kind == PREDICATE || r.bits < 32 || r.type == 'f')
            throw Fault("register " + o.text + " is no address");
        base = place[(size_t)o.reg], wide = r.kind == WIDE;
        return;
    }
    bool is_found;
    offset += (int64_t)symbol(o.text, is_found);
    if (!is_found)
        throw Fault("symbol is unknown: " + o.text);
}

void Decoder::operand_count(const Instruction &i, size_t least, size_t most) const
{
    if (i.operands.size() < least || i.operands.size() > most)
        throw Fault("found " + std::to_string(i.operands.size()) + " operands, expected " + std::to_string(least) +
                    (most > least ? " to " + std::to_string(most) : std::string()));
}

int Decoder::immediate(const Operand &o) const
{
    if (o.kind != IMMEDIATE)
        throw Fault("operand " + o.text + " is no literal");
    return (int)std::strtol(o.text.c_str(), nullptr, 0);
}

} // namespace ptx
