# count_launches counts the instructions that launches execute, from nvcc's PTX (count_machine.cpp). The launchers are
# compiled again with count_launch.h, so their launches run on the PTX machine. The launchers are compiled without
# optimisation, because no kernel runs as host code here.
add_library(sq_count_launchers OBJECT ${SQ_CUDA_KERNELS}) # .cu files are compiled as C++ here; see sq_emulated_options
target_compile_definitions(sq_count_launchers PRIVATE SQ_HAVE_CUDA SQ_CUDA_EMULATED CUDA_EMU)
target_compile_options(sq_count_launchers PRIVATE -x c++ -std=c++17 -include count_launch.h -fno-strict-aliasing -O0 -w)
target_link_libraries(sq_count_launchers PRIVATE sq_flags)
target_include_directories(sq_count_launchers PRIVATE counts runtime)
target_include_directories(sq_count_launchers SYSTEM PRIVATE ${SQ_CUDA_INCLUDE_DIR})

set(sq_count_host ${SQ_CUDA_HOST})
list(FILTER sq_count_host INCLUDE REGEX "/(launch|launch_list|describe|shapes|lowering|lower_[a-z]+)\\.c$")
add_executable(count_launches counts/count_launches.c counts/count_machine.cpp ${sq_count_host}
  ${CMAKE_SOURCE_DIR}/kernels/cuda/vendor/vendor_none.c $<TARGET_OBJECTS:sq_count_launchers> $<TARGET_OBJECTS:sq_emulator>)
target_compile_definitions(count_launches PRIVATE SQ_HAVE_CUDA SQ_CUDA_EMULATED CUDA_EMU)
target_compile_options(count_launches PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-std=c++17>)
target_link_libraries(count_launches PRIVATE sq_flags sq_ptx squall)
target_include_directories(count_launches PRIVATE runtime . ${CMAKE_SOURCE_DIR})
target_include_directories(count_launches SYSTEM PRIVATE ${SQ_CUDA_INCLUDE_DIR})
set_target_properties(count_launches PROPERTIES LINKER_LANGUAGE CXX)

add_test(NAME cuda-counts COMMAND ${venv_python} ${CMAKE_CURRENT_SOURCE_DIR}/../kernels/compiled/check_counts.py $<TARGET_FILE:count_launches>
         --nvcc=${CUDAToolkit_NVCC_EXECUTABLE} --ptx ${SQ_CUDA_KEPT_DIR})
set_tests_properties(cuda-counts PROPERTIES SKIP_RETURN_CODE 77 PROCESSORS 2 LABELS "emulated;end-to-end" TIMEOUT 900)
# Refreshes the counts after a change of the kernels: cmake --build build --target refresh_counts
add_custom_target(refresh_counts COMMAND ${venv_python} ${CMAKE_CURRENT_SOURCE_DIR}/../kernels/compiled/check_counts.py $<TARGET_FILE:count_launches>
  --write --nvcc=${CUDAToolkit_NVCC_EXECUTABLE} --ptx ${SQ_CUDA_KEPT_DIR} USES_TERMINAL VERBATIM)
add_dependencies(refresh_counts count_launches sq_cuda)
