"""Templates for planted kernels; see make_planted.py."""

HEAD = """.version 8.7
.target sm_90
.address_size 64
.extern .shared .align 16 .b8 dynamic[];
.const .align 4 .b8 weights[12] = {1, 0, 0, 0, 254, 255, 255, 255, 3, 0, 0, 1};
.global .align 4 .u32 numbers[4] = {10, 20, 30, 0xffffffff};
"""


def kernel(name, body, shared):
    return f""".entry {name}(.param .u64 {name}_out)
.maxntid 128, 1, 1
{{
    .reg .pred %p<9>;
    .reg .b16 %h<9>;
    .reg .f32 %f<9>;
    .reg .b32 %r<40>;
    .reg .b64 %rd<20>;
{shared}    ld.param.u64 %rd1, [{name}_out];
    cvta.to.global.u64 %rd1, %rd1;
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd3, %rd1, %rd2;
    shl.b32 %r2, %r1, 2;
{body}
    ret;
}}
"""


TILE = "    .shared .align 16 .b8 tile[512];\n    .shared .align 16 .b8 other[512];\n"
PLANTED = {}


def add(name, body, shared=""):
    lines = [line.strip() for line in body.strip().split("\n")]
    PLANTED[name] = ("\n".join("    " + line if line else "" for line in lines), shared)
