/* scanner.h - splits PTX text into words, directives and declarations. Every function moves `at` past the text that it
 * has read, and counts the newlines of this text in `line`. */
#ifndef PTX_SCANNER_H
#define PTX_SCANNER_H

#include "ptx.h"

namespace ptx
{

std::string trim(const std::string &s);
std::vector<std::string> split(const std::string &s, char separator); /* ignores separators in brackets */
size_t size_of_type(const std::string &type);                         /* returns the bytes of a type such as ".b32" */

class Scanner
{
  public:
    Scanner(const std::string &path_, const std::string &text_) : path(path_), text(text_)
    {
    }
    const std::string &path, &text;
    size_t at = 0;
    int line = 1;

    [[noreturn]] void fail(const std::string &what) const;
    bool is_at_end() const
    {
        return at >= text.size();
    }
    char next() const
    {
        return at < text.size() ? text[at] : '\0';
    }
    void skip_space(); /* also skips comments */
    void skip_braces();
    /* Returns the text up to a character of `ends` without comments; also consumes this character. */
    std::string until(const char *ends);
    std::string word();
    std::string rest_of_line()
    {
        return until("\n");
    }
    void advance()
    {
        line += text[at++] == '\n';
    }
};

/* Parses a declaration such as ".align 8 .b8 name[104]". The variable is placed at the next aligned offset from `end`.
 * `end` becomes the end of the variable. */
Variable parse_variable(const Scanner &s, const std::string &declaration, size_t &end);
/* Parses a declaration such as ".align 4 .b8 name[16] = {1, 0, 0, 0, ...}". Allocates the memory of the variable;
 * elements without a given value are zero. */
ModuleVariable parse_module_variable(const Scanner &s, const std::string &declaration, bool is_constant);

} // namespace ptx
#endif
