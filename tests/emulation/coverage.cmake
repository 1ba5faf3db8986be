# Counts the lines of kernels/cuda that the emulated tests reach. The backend is compiled again with gcov's counters.
# The tests reuse the objects of the plain variant. tools/coverage reads the counters.
find_program(SQ_GCOV gcov)
if(NOT SQ_GCOV OR NOT CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  message(STATUS "coverage of the emulated CUDA backend: left out, no gcc with gcov")
  return()
endif()

get_target_property(sq_emulated_sources sq_emulated_plain SOURCES)
add_library(sq_emulated_coverage OBJECT ${sq_emulated_sources})
sq_emulated_options(sq_emulated_coverage plain)
target_link_libraries(sq_emulated_coverage PRIVATE sq_dependencies)
target_compile_options(sq_emulated_coverage PRIVATE --coverage -fno-inline -fprofile-update=single)
foreach(name cuda cuda_faults cuda_vendor cuda_ranks)
  if(NOT TARGET test_${name}_plain)
    continue() # nccl.h is missing
  endif()
  add_executable(test_${name}_coverage $<TARGET_OBJECTS:test_${name}_plain> $<TARGET_OBJECTS:sq_emulated_coverage>
    $<TARGET_OBJECTS:sq_emulator>)
  target_link_libraries(test_${name}_coverage PRIVATE squall PkgConfig::CRITERION)
  target_link_options(test_${name}_coverage PRIVATE --coverage)
  set_target_properties(test_${name}_coverage PROPERTIES LINKER_LANGUAGE CXX ENABLE_EXPORTS ON)
endforeach()
add_test(NAME emulated-cuda-coverage COMMAND ${venv_python} ${CMAKE_SOURCE_DIR}/tools/coverage --no-build --least 95 --gcov ${SQ_GCOV}
         ${CMAKE_BINARY_DIR})
set_tests_properties(emulated-cuda-coverage PROPERTIES LABELS "emulated;end-to-end" ENVIRONMENT GOMP_SPINCOUNT=1000)
