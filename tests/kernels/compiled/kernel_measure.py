"""Compiles kernels, collects data for the checks, and runs the checks that need no table."""
import concurrent.futures
import json
import os

import cubins
import kernel_pointers
import ptx
import sass
import sass_gates

HEADERS = tuple(f"kernels/cuda/{name}.h" for name in ("operands", "convolution/convolution", "operations/operations", "operations/normalize"))


def read_text(path):
    with open(path) as file:
        return file.read()


def examine(job):
    """Compiles one file for one architecture. Returns (architecture, source, {mangled name: data for the checks})."""
    nvcc, nvdisasm, architecture, source, folder, root, structs, layouts = job
    build = cubins.compile_one(nvcc, architecture, source, folder, root)
    tools = [path for path in cubins.sources_of(cubins.TESTS, ".py") if os.path.basename(path) in ("sass.py", "ptx.py", "sass_gates.py")]
    cached = f"{build.cubin}.{cubins.hash_of((nvdisasm, structs), tools)}.json"
    if os.path.exists(cached):
        return architecture, source, json.loads(read_text(cached))
    codes = {name: kernel.code for name, kernel in ptx.parse(read_text(build.ptx)).items()}
    kernels = sass.disassemble(nvdisasm, build.cubin) if nvdisasm else {}
    found = {}
    for name, numbers in cubins.parse_report(read_text(build.report)):
        struct = next((kind for kernel, kind in structs.items() if f"{len(kernel)}{kernel}" in name), None)
        pointers = layouts.get(struct, {})
        access, unknown = ptx.trace(codes[name], name, pointers)
        known = {"numbers": numbers, "struct": struct, "access": access, "counts": None, "problems": []}
        known["problems"] += [f"{sass_gates.own_line(i.where)}: {i.opcode} [{i.operands}]: the address is not computed from a parameter" for i in unknown]
        if kernels:
            known["counts"] = sass.count(kernels[name])
            known["problems"] += sass_gates.check_lines(codes[name], kernels[name])
            known["problems"] += sass_gates.check_parameters(kernels[name], [pointer for pointer in pointers if pointer.name in access])
        found[name] = known
    with open(cached + ".tmp", "w") as file:
        json.dump(found, file)
    os.replace(cached + ".tmp", cached)
    return architecture, source, found


def measure(nvcc, nvdisasm, sources, architectures, folder, root=cubins.ROOT):
    """Returns ({(architecture, kernel): data for the checks}, {parameter struct: {Pointer: is_const}})."""
    texts = {source: kernel_pointers.without_comments(read_text(source)) for source in sources}
    structs = kernel_pointers.kernel_structs(texts.values())
    headers = [kernel_pointers.without_comments(read_text(os.path.join(root, header))) for header in HEADERS]
    layouts = kernel_pointers.layout(kernel_pointers.read_structs(headers), sorted(set(structs.values())), root, nvcc, HEADERS)
    jobs = [(nvcc, nvdisasm, architecture, source, folder, root, structs, layouts)
            for source in sorted(sources, key=os.path.getsize, reverse=True)  # longest files first, because they compile longest
            for architecture in architectures]
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        reports = list(pool.map(examine, jobs))
    names = cubins.demangle(nvcc, sorted({name for _, _, found in reports for name in found}))
    kernels = {(architecture, names[name]): {**known, "text": texts[source]} for architecture, source, found in reports for name, known in found.items()}
    return kernels, layouts


def check_shape(kernel, known, pointers, exceptions, used):
    """Runs the checks that need no table. Yields one line per problem. Adds the indices of the applied exceptions to `used`."""
    if known["numbers"]["spill_bytes"]:
        yield f"spills {known['numbers']['spill_bytes']} bytes (stores and loads), {known['numbers']['registers']} registers"
    yield from known["problems"]
    yield from sass_gates.check_pointers(known["access"], kernel_pointers.expected(kernel, pointers, exceptions, used))
    if known["counts"]:
        yield from sass_gates.check_needs(known["counts"], sass_gates.source_needs(known["text"], kernel.split("<")[0]))
