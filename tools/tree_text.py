"""Extracts the English text of the source tree: comments, docstrings, messages, help, pages and commit messages.

A Block is one comment, string, paragraph or commit subject. The lines of a Block are joined with single spaces, so that a search also finds
phrases that cross a line break. place() returns the line of an offset. check_text and sample_text use this module.
"""
import bisect
import io
import os
import re
import subprocess
import tokenize

C_LIKE = (".c", ".h", ".cu", ".cuh", ".cpp", ".js")
HASH_COMMENTS = (".yaml", ".cmake", ".sbatch", ".sh")
PHRASE_TABLE = "tools/check_text"  # this file lists the phrases that the tree must not have
LEFT_OUT = (PHRASE_TABLE, "tests/fuzz/corpus/", "tests/fixtures/runners/", "tools/report/page/chart-licence.js", "LICENSE")
MESSAGE_WORDS = 3  # a string of fewer words is a name, a key or a format

C_TOKEN = re.compile(r"""(?P<comment>/\*.*?\*/|//[^\n]*(?:\n[ \t]*//[^\n]*)*)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<other>'(?:\\.|[^'\\\n])*'|`[^`]*`)""", re.S)
SHELL_TOKEN = re.compile(r"""(?P<comment>(?<![^\s;])#[^\n]*(?:\n[ \t]*#[^\n]*)*)|(?P<string>"(?:\\.|[^"\\])*"|'[^']*')""")
ESCAPE = re.compile(r"\\(?:n|t|r|\n|.)")


class Block:
    """One piece of text. `kind` is comment, string, page or commit. `lines` has pairs of a line number and the text of the line."""

    def __init__(self, name, kind, lines):
        self.name, self.kind, self.numbers, self.starts, self.text = name, kind, [], [], ""
        for number, line in lines:
            line = " ".join(line.split())
            if line:
                self.text += " " if self.text else ""
                self.numbers.append(number)
                self.starts.append(len(self.text))
                self.text += line

    def place(self, offset):
        """Returns FILE:LINE of the character at `offset`."""
        return f"{self.name}:{self.numbers[bisect.bisect_right(self.starts, offset) - 1]}"


def numbered(text, first):
    return list(enumerate(text.split("\n"), first))


def comment_lines(text, first):
    """Returns the numbered lines of a comment without the characters /*, *, // and #."""
    text = re.sub(r"^/\*+|\*+/$", "", text)
    return [(number, re.sub(r"^\s*(?://+|#+!?|\*)(?=\s|$)\s?", "", line)) for number, line in numbered(text, first)]


def paragraphs(name, kind, lines):
    """Yields one Block for each paragraph of `lines`."""
    part = []
    for number, line in lines:
        if line.strip():
            part.append((number, line))
        elif part:
            yield Block(name, kind, part)
            part = []
    if part:
        yield Block(name, kind, part)


def message_lines(literals):
    """Returns the numbered lines of adjacent string literals without escape sequences. `literals` has pairs of a line number and the text
    between the quotes."""
    return [(number, ESCAPE.sub(" ", text)) for number, text in literals]


def is_message(block):
    return len(re.findall(r"(?<![\w%/.-])[A-Za-z][a-z']+(?![\w/])", block.text)) >= MESSAGE_WORDS


def code_blocks(name, text, token):
    """Yields the Blocks of comments and strings of C, JavaScript, shell and CMake. Adjacent strings are one Block."""
    literals, end = [], 0
    for found in token.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        between = text[end:found.start()]
        if literals and (found.lastgroup != "string" or not re.fullmatch(r"\s*(?:[A-Za-z_0-9]+\s*)?", between)):
            yield Block(name, "string", message_lines(literals))
            literals = []
        if found.lastgroup == "string":
            literals += numbered(found.group()[1:-1].replace("\\\n", "\n"), line)
        elif found.lastgroup == "comment":
            yield from paragraphs(name, "comment", comment_lines(found.group(), line))
        end = found.end()
    if literals:
        yield Block(name, "string", message_lines(literals))


def python_blocks(name, text):
    """Yields the Blocks of comments and strings of Python. Strings that follow each other directly are one Block."""
    comments, literals = [], []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            if comments and comments[-1][0] != token.start[0] - 1:
                yield from paragraphs(name, "comment", comments)
                comments = []
            comments.append((token.start[0], token.string.lstrip("#!")))
        elif token.type == tokenize.STRING:
            body = re.sub(r"^[A-Za-z]*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$", "", token.string)
            literals += numbered(body, token.start[0])
        elif token.type not in (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT) or token.type == tokenize.NEWLINE:
            if literals:
                yield from paragraphs(name, "string", message_lines(literals))
                literals = []
    if comments:
        yield from paragraphs(name, "comment", comments)
    if literals:
        yield from paragraphs(name, "string", message_lines(literals))


def page_blocks(name, text):
    """Yields the Blocks of paragraphs, list items, headings and table cells of Markdown. Code blocks are left out."""
    lines, fenced, after_blank = [], False, True
    for number, line in numbered(text, 1):
        if re.match(r"\s*(```|~~~)", line):
            fenced = not fenced
            line = ""
        is_code = fenced or (line.startswith("    ") and after_blank)
        starts = re.match(r"\s*([-*+] |\d+\. |#|\|)", line)
        if (is_code or starts or not line.strip()) and lines:
            yield Block(name, "page", lines)
            lines = []
        after_blank = not line.strip() or (is_code and after_blank)
        if is_code or not line.strip():
            continue
        line = re.sub(r"^\s*([-*+] |\d+\. |#+ )", "", re.sub(r"\]\([^)]*\)", "]", line))
        lines += [(number, cell) for cell in line.split("|")] if line.startswith("|") else [(number, line)]
    if lines:
        yield Block(name, "page", lines)


def text_blocks(name, text):
    """Yields one Block for each paragraph of a plain text file."""
    for found in re.finditer(r"(?:[^\n]+\n?)+", text):
        yield Block(name, "page", numbered(found.group(), text.count("\n", 0, found.start()) + 1))


def blocks_of(name, text):
    """Returns the Blocks of one file. The extension or the first line of the file determines the language."""
    extension = os.path.splitext(name)[1]
    first_line = text.split("\n", 1)[0]
    if extension in C_LIKE:
        found = code_blocks(name, text, C_TOKEN)
    elif extension == ".py" or (first_line.startswith("#!") and "python" in first_line):
        found = python_blocks(name, text)
    elif extension in HASH_COMMENTS or os.path.basename(name) == "CMakeLists.txt" or first_line.startswith("#!"):
        found = code_blocks(name, text, SHELL_TOKEN)
    elif extension == ".md":
        found = page_blocks(name, text)
    elif extension == ".txt" and name.startswith("tools/help/"):
        found = text_blocks(name, text)
    else:
        found = ()
    return [block for block in found if block.text and (block.kind != "string" or is_message(block))]


def tracked(root):
    """Returns the names of the tracked and the new files, relative to `root`. If `root` is not a Git checkout, returns the names of all files."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"], capture_output=True, text=True)
    if listed.returncode == 0:
        return sorted(name for name in listed.stdout.splitlines() if os.path.isfile(os.path.join(root, name)))
    return sorted(os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names)


def tree_blocks(root, folders=()):
    """Yields the Blocks of all files below `folders` (paths relative to `root`), or of the whole tree if `folders` is empty."""
    for name in tracked(root):
        if name.startswith(LEFT_OUT) or (folders and not any(name == folder or name.startswith(folder + "/") for folder in folders)):
            continue
        try:
            with open(os.path.join(root, name), encoding="utf-8") as file:
                text = file.read()
        except UnicodeDecodeError:
            continue
        yield from blocks_of(name, text)


def commit_blocks(root, selection):
    """Yields one Block for the subject of each commit that `git log SELECTION` prints. Yields nothing outside a Git checkout."""
    listed = subprocess.run(["git", "-C", root, "log", "--no-merges", "--format=%h %s", *selection], capture_output=True, text=True)
    for line in listed.stdout.splitlines() if listed.returncode == 0 else ():
        commit, _, subject = line.partition(" ")
        yield Block(f"commit {commit}", "commit", [(1, subject)])
