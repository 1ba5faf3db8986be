/* scanner.h - splits PTX text into words, directives and declarations. Every function leaves `at` after the text that
 * it returns, and counts newlines in `line`. */
#ifndef PTX_SCANNER_H
#define PTX_SCANNER_H

#include "ptx.h"

namespace ptx
{

std::string trim(const std::string &s);
std::vector<std::string> split(const std::string &s, char separator); /* outside of brackets */
size_t size_of_type(const std::string &type);                         /* bytes of ".b32" */

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
    void skip_space(); /* and comments */
    void skip_braces();
    std::string until(const char *ends); /* without comments; the end is consumed */
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

/* ".align 8 .b8 name[104]", placed at the next aligned offset from `end`, which advances. */
Variable parse_variable(const Scanner &s, const std::string &declaration, size_t &end);
/* ".align 4 .b8 name[16] = {1, 0, 0, 0, ...}": with memory, which is zero where no value is given. */
ModuleVariable parse_module_variable(const Scanner &s, const std::string &declaration, bool is_constant);

} // namespace ptx
#endif
