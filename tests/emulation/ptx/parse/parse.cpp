/* parse.cpp - parses PTX text into functions of instructions. Unknown syntax is a Fault. Opcodes are not checked here,
 * but in decode.cpp. */
#include "parse/scanner.h"

#include <cctype>
#include <cstdio>
#include <cstdlib>

namespace ptx
{
namespace
{

class Parser
{
  public:
    Parser(Module &module, const std::string &text) : m(module), s(module.path, text)
    {
    }
    void run()
    {
        for (s.skip_space(); !s.is_at_end(); s.skip_space())
            top_level();
    }

  private:
    Module &m;
    Scanner s;
    Where where;
    Function *f = nullptr;
    struct Scope {
        std::map<std::string, int> registers, labels;
        size_t begin = 0; /* index in code of the first instruction of the scope */
    };
    std::vector<Scope> scopes; /* the innermost scope is the last */
    int scope_count = 0;
    size_t shared_end = 0;

    [[noreturn]] void fail(const std::string &what)
    {
        s.fail(what + (f ? " in " + f->name : std::string()));
    }

    void loc(const std::string &text) /* text: "1 130 5, function_name X, inlined_at 1 20 3" */
    {
        where = Where();
        std::sscanf(text.c_str(), "%d %d", &where.file, &where.line);
        const size_t inlined = text.rfind("inlined_at");
        if (inlined != std::string::npos)
            std::sscanf(text.c_str() + inlined + 10, "%d %d", &where.caller_file, &where.caller_line);
    }
    void file(const std::string &text)
    {
        const size_t a = text.find('"'), b = text.find('"', a + 1);
        if (a != std::string::npos && b != std::string::npos)
            m.files[std::atoi(text.c_str())] = text.substr(a + 1, b - a - 1);
    }

    void top_level()
    {
        const size_t before = s.at;
        const std::string w = s.word();
        if (w == ".target") {
            const std::string target = s.rest_of_line();
            std::sscanf(target.c_str(), "sm_%d", &m.target);
        } else if (w == ".version" || w == ".address_size") {
            s.rest_of_line();
        } else if (w == ".file") {
            file(s.rest_of_line());
        } else if (w == ".visible" || w == ".weak") {
            return;
        } else if (w == ".extern") {
            external(s.until(";"));
        } else if (w == ".global" || w == ".const") {
            m.variables.push_back(parse_module_variable(s, s.until(";"), w == ".const"));
        } else if (w == ".section") {
            while (!s.is_at_end() && s.next() != '{')
                s.advance();
            s.skip_braces();
        } else if (w == ".entry") {
            entry();
        } else if (w == ".func") { /* decode() refuses `call`, so such functions never run */
            while (!s.is_at_end() && s.next() != '{' && s.next() != ';')
                s.advance();
            if (s.next() == '{')
                s.skip_braces();
            else
                s.advance();
        } else {
            s.at = before;
            fail("directive is not understood: " + s.rest_of_line());
        }
    }
    void external(const std::string &declaration)
    {
        if (declaration.compare(0, 7, ".shared") == 0) {
            size_t end = 0;
            m.dynamic_shared.push_back(parse_variable(s, declaration, end));
        } else if (declaration.compare(0, 5, ".func") != 0) {
            fail("external variable, its module is unknown: " + declaration);
        }
    }

    void entry()
    {
        m.functions.emplace_back();
        f = &m.functions.back();
        s.skip_space();
        f->name = s.word();
        s.skip_space();
        if (s.next() == '(') {
            s.at++;
            for (const std::string &p : split(s.until(")"), ','))
                f->parameters.push_back(parse_variable(s, p, f->parameter_bytes));
        }
        for (s.skip_space(); s.next() != '{'; s.skip_space()) {
            if (s.is_at_end())
                fail("unexpected end");
            directive(s.rest_of_line());
        }
        s.at++;
        shared_end = 0;
        scopes.assign(1, Scope());
        for (s.skip_space(); !scopes.empty(); s.skip_space())
            statement();
        f = nullptr;
    }
    void directive(const std::string &text)
    {
        if (text.find("cluster") != std::string::npos)
            fail("clusters are refused: " + text);
        if (text.compare(0, 7, ".maxnti") == 0 || text.compare(0, 7, ".reqnti") == 0) {
            int x = 1, y = 1, z = 1;
            std::sscanf(text.c_str() + 8, "%d , %d , %d", &x, &y, &z);
            f->max_threads = x * y * z;
        }
    }

    void declare_registers(const std::string &text) /* text: ".b32 %r<10>" or ".b32 %temp, %other" */
    {
        const size_t space = text.find_first_of(" \t");
        const std::string type = text.substr(0, space);
        const bool is_predicate = type == ".pred";
        const size_t bytes = size_of_type(type);
        if (bytes > 8 || bytes == 0)
            fail("registers of type " + type + " are refused");
        Register r;
        r.kind = is_predicate ? PREDICATE : bytes > 4 ? WIDE : NARROW;
        r.bits = (uint8_t)(is_predicate ? 1 : 8 * bytes);
        r.type = is_predicate ? 'p' : type[1];
        for (const std::string &name : split(text.substr(space), ',')) {
            const size_t angle = name.find('<');
            const int count = angle == std::string::npos ? -1 : std::atoi(name.c_str() + angle + 1);
            for (int i = 0; i < (count < 0 ? 1 : count); i++) {
                r.name = count < 0 ? name : name.substr(0, angle) + std::to_string(i);
                scopes.back().registers[r.name] = (int)f->registers.size();
                f->registers.push_back(r);
            }
        }
    }
    int find_register(const std::string &name) const
    {
        for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
            const auto found = scope->registers.find(name);
            if (found != scope->registers.end())
                return found->second;
        }
        return -1;
    }

    /* Ends a scope. Labels are local to their braces, because inline assembly repeats label names. A label of an inner
     * scope gets a number, so that its name is unique in the function. */
    void close_scope()
    {
        const Scope &scope = scopes.back();
        for (const auto &label : scope.labels) {
            std::string name = label.first;
            if (scopes.size() > 1) {
                name += "@" + std::to_string(++scope_count);
                for (size_t k = scope.begin; k < f->code.size(); k++)
                    if (f->code[k].parts[0] == "bra" && f->code[k].operands[0].text == label.first)
                        f->code[k].operands[0].text = name;
            }
            f->labels[name] = label.second;
        }
        scopes.pop_back();
    }

    Operand operand(const std::string &text)
    {
        Operand o;
        o.text = text;
        if (text.empty())
            fail("empty operand");
        if (text[0] == '{') {
            o.kind = VECTOR;
            for (const std::string &p : split(text.substr(1, text.rfind('}') - 1), ','))
                o.parts.push_back(operand(p));
        } else if (text[0] == '[') {
            address(trim(text.substr(1, text.rfind(']') - 1)), o);
        } else if (text.find('|') != std::string::npos) {
            o.kind = PAIR;
            for (const std::string &p : split(text, '|'))
                o.parts.push_back(operand(p));
        } else if (text[0] == '!') {
            o = operand(trim(text.substr(1)));
            o.is_negated = true;
        } else if ((o.reg = find_register(text)) >= 0) {
            o.kind = REGISTER;
        } else if (std::isdigit((unsigned char)text[0]) || text[0] == '-') {
            o.kind = IMMEDIATE;
        } else {
            o.kind = SYMBOL;
        }
        return o;
    }
    void address(const std::string &inside, Operand &o)
    {
        const size_t plus = inside.find('+');
        o.kind = ADDRESS;
        o.text = trim(inside.substr(0, plus));
        o.offset = plus == std::string::npos ? 0 : std::strtoll(inside.c_str() + plus + 1, nullptr, 0);
        o.reg = find_register(o.text);
    }

    void statement()
    {
        if (s.is_at_end())
            fail("unexpected end");
        if (s.next() == '{') {
            s.at++;
            scopes.emplace_back();
            scopes.back().begin = f->code.size();
            return;
        }
        if (s.next() == '}') {
            s.at++;
            close_scope();
            return;
        }
        Instruction i;
        i.line = s.line;
        if (s.next() == '@')
            guard(i);
        std::string w = s.word();
        while (s.text.compare(s.at, 2, "::") == 0) /* qualifiers such as .L2::128B */
            s.at += 2, w += "::" + s.word();
        if (w == ".loc")
            return loc(s.rest_of_line());
        if (w == ".file")
            return file(s.rest_of_line());
        if (w == ".pragma")
            return (void)s.until(";");
        if (w == ".reg")
            return declare_registers(s.until(";"));
        if (w == ".shared")
            return f->shared.push_back(parse_variable(s, s.until(";"), shared_end));
        if (w == ".local")
            return f->local.push_back(parse_variable(s, s.until(";"), f->local_bytes));
        if (w.empty() || w[0] == '.' || w[0] == '%')
            fail("statement is not understood: " + w + s.rest_of_line());
        if (s.next() == ':') {
            s.at++;
            scopes.back().labels[w] = (int)f->code.size();
            return;
        }
        instruction(i, w);
    }
    void guard(Instruction &i)
    {
        s.at++;
        i.is_negated = s.next() == '!';
        s.at += i.is_negated;
        const std::string name = s.word();
        i.guard = find_register(name);
        i.text = std::string(i.is_negated ? "@!" : "@") + name + " ";
        if (i.guard < 0 || f->registers[(size_t)i.guard].kind != PREDICATE)
            fail("guard " + name + " is no predicate");
        s.skip_space();
    }
    void instruction(Instruction &i, const std::string &opcode)
    {
        i.opcode = opcode;
        i.parts = split(opcode, '.');
        const std::string operands = s.until(";");
        i.text += opcode + " " + operands;
        for (const std::string &o : split(operands, ','))
            i.operands.push_back(operand(o));
        i.where = where;
        f->code.push_back(i);
    }
};

} // namespace

Module parse(const std::string &path, const std::string &text)
{
    Module m;
    m.path = path;
    Parser(m, text).run();
    return m;
}

} // namespace ptx
