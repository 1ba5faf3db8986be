# The comment of each mistake in bugs.cu names the tools that must report the mistake. These tests check the reports.
function(sq_expect_caught variant pattern)
  foreach(bug ${ARGN})
    set(test emulated-bug-${bug}-${variant})
    add_test(NAME ${test} COMMAND emulated_bugs_${variant} ${bug})
    set_tests_properties(${test} PROPERTIES PASS_REGULAR_EXPRESSION "${pattern}" LABELS emulated)
    if(variant STREQUAL ptx)
      set_tests_properties(${test} PROPERTIES ENVIRONMENT "EMU_PTX=${SQ_BUGS_PTX_DIR};EMU_PTX_ARCH=90;EMU_PTX_TWIN=0")
    endif()
  endforeach()
endfunction()
sq_expect_caught(tsan "ThreadSanitizer: data race" missing-barrier block-race missing-syncwarp missing-barrier-mma
  missing-fence result-too-early batch-overwritten missing-event)
sq_expect_caught(asan "AddressSanitizer: (heap-buffer-overflow|use-after-poison)" loose-guard small-dynamic-shared
  static-overrun host-reads-device host-copies-device)
sq_expect_caught(asan "AddressSanitizer: heap-use-after-free" use-after-free graph-outlives-buffer)
sq_expect_caught(asan "runtime error: signed integer" index-overflow)
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU) # clang's UBSan does not check the alignment of a float4 copy
  sq_expect_caught(asan "runtime error: [a-z ]*misaligned" misaligned-vector misaligned-rows narrow-tile)
endif()
sq_expect_caught(plain "diverged at a barrier|different warp intrinsics" divergent-barrier split-shuffle split-mma)
sq_expect_caught(plain "mask leaves out the calling lane" wrong-mask)
sq_expect_caught(plain "matrix instruction needs all 32 lanes" divergent-mma short-warp-mma)
sq_expect_caught(plain "more shared memory than its launch may" static-and-dynamic-shared)
sq_expect_caught(plain "bank conflict" same-bank)
set_tests_properties(emulated-bug-same-bank-plain PROPERTIES ENVIRONMENT EMU_BANKS=1)
sq_expect_caught(plain "loads with __ldg changed while it ran" stale-read-only)
set_tests_properties(emulated-bug-stale-read-only-plain PROPERTIES ENVIRONMENT EMU_READ_ONLY=1)
sq_expect_caught(plain ": -?nan" missing-barrier early-exit-shuffle uninitialised-shared uninitialised-global
  missing-syncwarp refused-shared result-too-early batch-overwritten missing-event)

# nvcc compiles the same mistakes, and five mistakes that only nvcc's PTX can show.
if(SQ_PTX_ARCHITECTURES)
  set(SQ_BUGS_PTX_DIR ${CMAKE_CURRENT_BINARY_DIR}/bugs-ptx)
  file(MAKE_DIRECTORY ${SQ_BUGS_PTX_DIR})
  foreach(file bugs ptx_only_bugs)
    add_custom_command(OUTPUT ${SQ_BUGS_PTX_DIR}/${file}.compute_90.ptx
      COMMAND ${CMAKE_CUDA_COMPILER} -w -O3 -std=c++17 -lineinfo -arch=compute_90 -ptx -I${CMAKE_SOURCE_DIR}
              ${SQ_EMULATION_DIR}/bugs/${file}.cu -o ${SQ_BUGS_PTX_DIR}/${file}.compute_90.ptx
      DEPENDS bugs/${file}.cu bugs/bugs.h ${CMAKE_SOURCE_DIR}/kernels/cuda/launch.cuh
      ${CMAKE_SOURCE_DIR}/kernels/cuda/convolution/tensor_core.cuh
      COMMENT "PTX of ${file}.cu")
    list(APPEND bugs_ptx ${SQ_BUGS_PTX_DIR}/${file}.compute_90.ptx)
  endforeach()
  add_custom_target(sq_bugs_ptx ALL DEPENDS ${bugs_ptx})
  sq_expect_caught(ptx "shared memory read before it was written" missing-barrier uninitialised-shared)
  sq_expect_caught(ptx "race in shared memory" missing-barrier-mma short-warp-mma)
  sq_expect_caught(ptx "another block" block-race missing-fence)
  sq_expect_caught(ptx "out of bounds" loose-guard small-dynamic-shared static-overrun use-after-free graph-outlives-buffer)
  sq_expect_caught(ptx "misaligned" misaligned-vector misaligned-rows)
  sq_expect_caught(ptx "diverged at a barrier" divergent-barrier)
  sq_expect_caught(ptx "lanes that an instruction needs never come" split-shuffle split-mma divergent-mma)
  sq_expect_caught(ptx "which is not in its mask" early-exit-shuffle)
  sq_expect_caught(ptx "the mask leaves out the calling lane" wrong-mask)
  sq_expect_caught(ptx "too much dynamic shared memory" static-and-dynamic-shared missing-opt-in)
  sq_expect_caught(ptx "more threads than .maxntid" wrong-launch-bound)
  sq_expect_caught(ptx "wrong size of the parameters" other-struct)
  sq_expect_caught(ptx "reads with ld.global.nc" aliased-restrict)
  sq_expect_caught(ptx ": -?nan" uninitialised-global refused-shared result-too-early batch-overwritten missing-event)
  sq_expect_caught(ptx "words differ between the kernel as g.. and as nvcc compiled it" dropped-loop)
  set_tests_properties(emulated-bug-dropped-loop-ptx PROPERTIES
                       ENVIRONMENT "EMU_PTX=${SQ_BUGS_PTX_DIR};EMU_PTX_ARCH=90;EMU_PTX_TWIN=1")
endif()
