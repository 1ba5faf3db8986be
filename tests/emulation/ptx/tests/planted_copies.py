"""Kernels with mistakes in the use of asynchronous copies and mbarriers. make_planted.py imports this module."""

from planted_base import TILE, add

COPY = """
    mov.u32 %r3, tile;
    add.s32 %r4, %r3, %r2;
    cp.async.ca.shared.global [%r4], [%rd3], 4;
    cp.async.commit_group;
    {middle}
    xor.b32 %r6, %r4, {mask};
    ld.shared.u32 %r5, [%r6];
    add.s32 %r5, %r5, 1;
    st.global.u32 [%rd3+512], %r5;"""
add("fine_copy", COPY.format(middle="cp.async.wait_group 0;", mask=0), TILE)
add("fine_copy_for_others", COPY.format(middle="cp.async.wait_all;\nbar.sync 0;", mask=252), TILE)
add("copy_not_waited_for", COPY.format(middle="cp.async.wait_group 1;", mask=0), TILE)
add("copy_without_barrier", COPY.format(middle="cp.async.wait_all;", mask=4), TILE)
add("copy_overwritten", COPY.format(middle="st.shared.u32 [%r4], %r1;\ncp.async.wait_all;", mask=0), TILE)
add("copy_misaligned", "mov.u32 %r3, tile;\nadd.s32 %r4, %r3, %r2;\ncp.async.cg.shared.global [%r4], [%rd3], 16;", TILE)
add("copy_overrun", "mov.u32 %r3, tile;\nadd.s32 %r4, %r3, %r2;\ncp.async.ca.shared.global [%r4], [%rd3+4], 4;", TILE)
add("fine_partial_copy", """
    mov.u32 %r3, tile;
    add.s32 %r4, %r3, %r2;
    and.b32 %r5, %r2, 4;
    cp.async.ca.shared.global [%r4], [%rd3], 4, %r5;
    cp.async.wait_all;
    ld.shared.u32 %r6, [%r4];
    st.global.u32 [%rd3], %r6;""", TILE)
MBARRIER = TILE + "    .shared .align 8 .b8 bar[8];\n"
INIT = """
    mov.u32 %r3, tile;
    mov.u32 %r4, bar;
    add.s32 %r8, %r3, %r2;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $ready;
    mbarrier.init.shared::cta.b64 [%r4], {arrivals};
    fence.mbarrier_init.release.cluster;
    $ready:
    {barrier}
"""
BULK = INIT.format(arrivals=1, barrier="bar.sync 0;") + """
    @%p1 bra $wait;
    mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 %rd6, [%r4], {expected};
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r3], [%rd1], {bytes}, [%r4];
    $wait:
    {wait}
    ld.shared.u32 %r6, [%r8];
    add.u32 %r6, %r6, 1;
    st.global.u32 [%rd3], %r6;"""
WAIT = """mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r4], {parity};
    @!%p2 bra $wait;"""
add("fine_bulk_load", BULK.format(expected=512, bytes=512, wait=WAIT.format(parity=0)), MBARRIER)
add("bulk_not_waited_for", BULK.format(expected=512, bytes=512, wait=""), MBARRIER)
add("bulk_wrong_parity", BULK.format(expected=512, bytes=512, wait=WAIT.format(parity=1)), MBARRIER)
add("bulk_too_many_bytes_expected", BULK.format(expected=528, bytes=512, wait=WAIT.format(parity=0)), MBARRIER)
add("bulk_size", "mov.u32 %r30, 508;\n" + BULK.format(expected=508, bytes="%r30", wait=WAIT.format(parity=0)), MBARRIER)
add("bulk_shared_overrun", BULK.format(expected=528, bytes=528, wait=WAIT.format(parity=0)).replace("tile", "other"), MBARRIER)
add("bulk_global_overrun", BULK.format(expected=512, bytes=512, wait=WAIT.format(parity=0)).replace("[%rd1], 512", "[%rd1+16], 512"), MBARRIER)
add("mbarrier_without_init", "mov.u32 %r4, bar;\nmbarrier.arrive.shared::cta.b64 %rd6, [%r4];", MBARRIER)
add("mbarrier_before_barrier", INIT.format(arrivals=128, barrier="") + "mbarrier.arrive.shared::cta.b64 %rd6, [%r4];", MBARRIER)
add("mbarrier_twice", INIT.format(arrivals=128, barrier="bar.sync 0;") + "@%p1 bra $end;\nmbarrier.init.shared::cta.b64 [%r4], 3;\n$end:", MBARRIER)
add("mbarrier_too_many_arrivals", INIT.format(arrivals=2, barrier="bar.sync 0;") + "mbarrier.arrive.shared::cta.b64 %rd6, [%r4], 3;", MBARRIER)
add("mbarrier_read", INIT.format(arrivals=128, barrier="bar.sync 0;") + "ld.shared.u32 %r6, [%r4];", MBARRIER)
ARRIVE = INIT + """
    st.shared.u32 [%r8], %r1;
    mbarrier.arrive.shared::cta.b64 %rd6, [%r4];
    {wait}
    xor.b32 %r9, %r8, 252;
    ld.shared.u32 %r6, [%r9];
    st.global.u32 [%rd3], %r6;"""
STATE = "$wait:\nmbarrier.{how}.shared::cta.b64 %p2, [%r4], %rd6;\n@!%p2 bra $wait;"
add("fine_mbarrier", ARRIVE.format(arrivals=128, barrier="bar.sync 0;", wait=STATE.format(how="try_wait")), MBARRIER)
add("fine_mbarrier_test", ARRIVE.format(arrivals=128, barrier="bar.sync 0;", wait=STATE.format(how="test_wait")), MBARRIER)
add("mbarrier_not_waited_for", ARRIVE.format(arrivals=128, barrier="bar.sync 0;", wait=""), MBARRIER)
add("mbarrier_never_complete", ARRIVE.format(arrivals=127 + 2, barrier="bar.sync 0;", wait=STATE.format(how="try_wait")), MBARRIER)
add("mbarrier_complete_early", ARRIVE.format(arrivals=32, barrier="bar.sync 0;", wait=STATE.format(how="try_wait")), MBARRIER)
# One lane of each warp arrives and waits for the whole warp, so the warp needs a bar.warp.sync before and after.
LEADER = INIT.format(arrivals=4, barrier="bar.sync 0;") + """
    st.shared.u32 [%r8], %r1;
    and.b32 %r10, %r1, 31;
    setp.ne.u32 %p3, %r10, 0;
    {before}
    @%p3 bra $others;
    mbarrier.arrive.shared::cta.b64 %rd6, [%r4];
    $wait:
    mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r4], 0;
    @!%p2 bra $wait;
    $others:
    {after}
    xor.b32 %r9, %r8, 252;
    ld.shared.u32 %r6, [%r9];
    st.global.u32 [%rd3], %r6;"""
add("fine_leader", LEADER.format(before="bar.warp.sync -1;", after="bar.warp.sync -1;"), MBARRIER)
add("leader_arrives_without_sync", LEADER.format(before="", after="bar.warp.sync -1;"), MBARRIER)
add("leader_waits_without_sync", LEADER.format(before="bar.warp.sync -1;", after=""), MBARRIER)
COPIED = INIT.format(arrivals=128, barrier="bar.sync 0;") + """
    cp.async.ca.shared.global [%r8], [%rd3], 4;
    {arrive}
    $wait:
    mbarrier.try_wait.parity.shared::cta.b64 %p2, [%r4], 0;
    @!%p2 bra $wait;
    xor.b32 %r9, %r8, 252;
    ld.shared.u32 %r6, [%r9];
    st.global.u32 [%rd3+512], %r6;"""
add("fine_copy_to_mbarrier", COPIED.format(arrive="cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%r4];"), MBARRIER)
add("fine_copy_to_mbarrier_inc", COPIED.format(arrive="cp.async.mbarrier.arrive.shared::cta.b64 [%r4];\nmbarrier.arrive.shared::cta.b64 %rd6, [%r4];"), MBARRIER)
add("copy_not_in_mbarrier", COPIED.format(arrive="mbarrier.arrive.shared::cta.b64 %rd6, [%r4];"), MBARRIER)
STORE = """
    mov.u32 %r3, tile;
    add.s32 %r8, %r3, %r2;
    add.u32 %r5, %r1, 9;
    st.shared.u32 [%r8], %r5;
    {fence}
    bar.sync 0;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $end;
    {leader}
    cp.async.bulk.global.shared::cta.bulk_group [%rd1], [%r3], 512;
    cp.async.bulk.commit_group;
    {wait}
    $end:
    {after}"""
FENCE = "fence.proxy.async.shared::cta;"
add("fine_bulk_store", STORE.format(fence=FENCE, leader="", wait="cp.async.bulk.wait_group 0;", after=""), TILE)
add("fine_bulk_store_read", STORE.format(fence="", leader=FENCE, wait="cp.async.bulk.wait_group.read 0;", after="bar.sync 0;\nst.shared.u32 [%r8], %r1;"), TILE)
add("bulk_store_without_fence", STORE.format(fence="", leader="", wait="cp.async.bulk.wait_group 0;", after=""), TILE)
add("bulk_store_not_waited_for", STORE.format(fence=FENCE, leader="", wait="", after=""), TILE)
add("bulk_store_overwritten", STORE.format(fence=FENCE, leader="", wait="", after="bar.sync 0;\nst.shared.u32 [%r8], %r1;"), TILE)
# A ring of two tiles. One lane loads six tiles of 384 bytes, and 96 threads add the tiles.
RING = """
    mov.u32 %r3, tile;
    mov.u32 %r4, full;
    mov.u32 %r5, empty;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra $ready;
    mbarrier.init.shared::cta.b64 [%r4], 1;
    mbarrier.init.shared::cta.b64 [%r4+8], 1;
    mbarrier.init.shared::cta.b64 [%r5], {consumers};
    mbarrier.init.shared::cta.b64 [%r5+8], {consumers};
    fence.mbarrier_init.release.cluster;
    $ready:
    bar.sync 0;
    mov.u32 %r6, 0;
    mov.u32 %r20, 0;
    setp.lt.u32 %p2, %r1, 32;
    @%p2 bra $producer;
    $consume:
    and.b32 %r7, %r6, 1;
    shr.u32 %r8, %r6, 1;
    and.b32 %r8, %r8, 1;
    mad.lo.u32 %r9, %r7, 8, %r4;
    mad.lo.u32 %r10, %r7, 8, %r5;
    mad.lo.u32 %r11, %r7, 512, %r3;
    add.u32 %r11, %r11, %r2;
    $full:
    mbarrier.try_wait.parity.shared::cta.b64 %p3, [%r9], %r8;
    @!%p3 bra $full;
    ld.shared.u32 %r12, [%r11+-128];
    add.u32 %r20, %r20, %r12;
    {consumed}
    add.u32 %r6, %r6, 1;
    setp.lt.u32 %p4, %r6, 6;
    @%p4 bra $consume;
    st.global.u32 [%rd3], %r20;
    bra $end;
    $producer:
    @%p1 bra $end;
    add.s64 %rd4, %rd1, 1024;
    $produce:
    and.b32 %r7, %r6, 1;
    mad.lo.u32 %r9, %r7, 8, %r4;
    mad.lo.u32 %r10, %r7, 8, %r5;
    mad.lo.u32 %r11, %r7, 512, %r3;
    setp.lt.u32 %p3, %r6, 2;
    shr.u32 %r8, %r6, 1;
    add.u32 %r8, %r8, 1;
    and.b32 %r8, %r8, 1;
    @%p3 bra $load;
    $empty:
    {wait}
    $load:
    mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 %rd6, [%r9], 384;
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r11], [%rd4], 384, [%r9];
    add.s64 %rd4, %rd4, 384;
    add.u32 %r6, %r6, 1;
    setp.lt.u32 %p4, %r6, 6;
    @%p4 bra $produce;
    $end:"""
RING_SHARED = "    .shared .align 128 .b8 tile[1024];\n    .shared .align 8 .b8 full[16];\n    .shared .align 8 .b8 empty[16];\n"
RING_WAIT = "mbarrier.try_wait.parity.shared::cta.b64 %p5, [%r10], %r8;\n@!%p5 bra $empty;"
ARRIVED = "mbarrier.arrive.shared::cta.b64 %rd6, [%r10];"
LANE_ARRIVED = "and.b32 %r13, %r1, 31;\nsetp.ne.u32 %p6, %r13, 0;\n{sync}\n@%p6 bra $next;\nmbarrier.arrive.shared::cta.b64 %rd6, [%r10];\n$next:"
add("fine_ring", RING.format(consumers=96, wait=RING_WAIT, consumed=ARRIVED), RING_SHARED)
add("fine_ring_by_warp", RING.format(consumers=3, wait=RING_WAIT, consumed=LANE_ARRIVED.format(sync="bar.warp.sync -1;")), RING_SHARED)
add("ring_without_empty", RING.format(consumers=96, wait="", consumed=ARRIVED), RING_SHARED)
add("ring_arrives_before_read", RING.format(consumers=96, wait=RING_WAIT, consumed="").replace("ld.shared.u32 %r12, [%r11+-128];", ARRIVED + "\nld.shared.u32 %r12, [%r11+-128];"), RING_SHARED)
add("ring_one_arrival_missing", RING.format(consumers=97, wait=RING_WAIT, consumed=ARRIVED), RING_SHARED)
add("fine_dependent_launch", "griddepcontrol.wait;\nst.global.u32 [%rd3], %r1;\ngriddepcontrol.launch_dependents;")
