/* scanner.cpp - scans words, comments and declarations. */
#include "parse/scanner.h"

#include <cctype>
#include <cstdlib>
#include <cstring>

namespace ptx
{
namespace
{

bool is_space(char c)
{
    return std::isspace((unsigned char)c);
}
bool is_name(char c)
{
    return std::isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%' || c == '.';
}

} // namespace

std::string trim(const std::string &s)
{
    size_t a = 0, b = s.size();
    while (a < b && is_space(s[a]))
        a++;
    while (b > a && is_space(s[b - 1]))
        b--;
    return s.substr(a, b - a);
}

std::vector<std::string> split(const std::string &s, char separator)
{
    std::vector<std::string> parts;
    int depth = 0;
    std::string part;
    for (char c : s) {
        depth += (c == '{' || c == '[' || c == '(') - (c == '}' || c == ']' || c == ')');
        if (c == separator && depth == 0)
            parts.push_back(trim(part)), part.clear();
        else
            part += c;
    }
    part = trim(part);
    if (!part.empty())
        parts.push_back(part);
    return parts;
}

size_t size_of_type(const std::string &type)
{
    if (type == ".pred")
        return 1;
    return type.size() < 3 ? 0 : (size_t)std::atoi(type.c_str() + 2) / 8;
}

void Scanner::fail(const std::string &what) const
{
    throw Fault(path + ":" + std::to_string(line) + ": " + what);
}

void Scanner::skip_space()
{
    while (at < text.size())
        if (is_space(text[at])) {
            advance();
        } else if (text.compare(at, 2, "//") == 0) {
            while (at < text.size() && text[at] != '\n')
                at++;
        } else if (text.compare(at, 2, "/*") == 0) {
            for (at += 2; at < text.size() && text.compare(at, 2, "*/") != 0;)
                advance();
            at = at + 2 < text.size() ? at + 2 : text.size();
        } else {
            return;
        }
}

void Scanner::skip_braces()
{
    int depth = 0;
    do {
        depth += (text[at] == '{') - (text[at] == '}');
        advance();
    } while (depth > 0 && at < text.size());
}

std::string Scanner::until(const char *ends)
{
    std::string s;
    while (at < text.size() && !std::strchr(ends, text[at])) {
        if (text.compare(at, 2, "//") == 0)
            while (at + 1 < text.size() && text[at + 1] != '\n')
                at++;
        else
            s += text[at];
        advance();
    }
    if (at < text.size())
        advance();
    return trim(s);
}

std::string Scanner::word()
{
    const size_t begin = at;
    while (at < text.size() && is_name(text[at]))
        at++;
    return text.substr(begin, at - begin);
}

Variable parse_variable(const Scanner &s, const std::string &declaration, size_t &end)
{
    Variable v = {"", 0, 0, 0};
    const char *p = declaration.c_str();
    size_t element = 0;
    while (*p && v.name.empty()) {
        while (is_space(*p))
            p++;
        std::string w;
        while (*p && !is_space(*p) && *p != '[')
            w += *p++;
        if (w == ".align") {
            char *next;
            v.align = (size_t)std::strtoul(p, &next, 10);
            p = next;
        } else if (w.size() > 2 && w[0] == '.') {
            if (std::strchr("bsuf", w[1]) && std::isdigit((unsigned char)w[2]))
                element = size_of_type(w);
        } else if (!w.empty() && w[0] != '.') {
            v.name = w, v.bytes = element;
        }
    }
    for (; *p == '['; p += *p == ']') {
        char *next;
        v.bytes *= (size_t)std::strtoul(p + 1, &next, 10);
        p = next;
    }
    if (v.name.empty() || !element)
        s.fail("declaration is not understood: " + declaration);
    v.align = v.align ? v.align : element;
    v.offset = (end + v.align - 1) / v.align * v.align;
    end = v.offset + v.bytes;
    return v;
}

ModuleVariable parse_module_variable(const Scanner &s, const std::string &declaration, bool is_constant)
{
    const size_t equals = declaration.find('=');
    const std::string head = trim(declaration.substr(0, equals));
    size_t end = 0, element = 1;
    const Variable v = parse_variable(s, head, end);
    for (const char *type : {".b16", ".u16", ".s16", ".b32", ".u32", ".s32", ".f32", ".b64", ".u64", ".s64", ".f64"})
        if (head.find(std::string(type) + " ") != std::string::npos)
            element = size_of_type(type);
    ModuleVariable m;
    m.name = v.name, m.is_constant = is_constant, m.bytes = v.bytes;
    const size_t rounded = (v.bytes + 255) / 256 * 256 + 256;
    m.memory = std::shared_ptr<char>(static_cast<char *>(std::aligned_alloc(256, rounded)), std::free);
    std::memset(m.memory.get(), 0, rounded);
    if (equals == std::string::npos)
        return m;
    std::string list;
    for (char c : declaration.substr(equals + 1))
        list += c == '{' || c == '}' ? ' ' : c;
    size_t at = 0;
    for (const std::string &item : split(list, ',')) {
        if (item.empty() || !(std::isdigit((unsigned char)item[0]) || item[0] == '-') || at + element > v.bytes)
            s.fail("initialiser of " + v.name + ": found " + item + ", expected a number");
        const bool is_bits = item.compare(0, 2, "0f") == 0 || item.compare(0, 2, "0d") == 0;
        const uint64_t bits = is_bits          ? std::strtoull(item.c_str() + 2, nullptr, 16)
                              : item[0] == '-' ? (uint64_t)std::strtoll(item.c_str(), nullptr, 0)
                                               : std::strtoull(item.c_str(), nullptr, 0);
        std::memcpy(m.memory.get() + at, &bits, element);
        at += element;
    }
    return m;
}

} // namespace ptx
