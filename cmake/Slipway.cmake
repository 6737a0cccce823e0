# slipway_library(NAME [DEPS lib...]): one static library a folder, of every .cc beside the CMakeLists.txt (and in the
# subfolders named by SUBFOLDERS). Includes are written from the project's root.
function(slipway_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;SUBFOLDERS" ${ARGN})
  set(patterns ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  foreach(folder ${ARG_SUBFOLDERS})
    list(APPEND patterns ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cc)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} PUBLIC ${ARG_DEPS})
    slipway_warnings(${name})
  else()
    add_library(${name} INTERFACE)
    target_include_directories(${name} INTERFACE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${name} INTERFACE ${ARG_DEPS})
  endif()
endfunction()

# slipway_binary(NAME SOURCE DEPS...): an executable in build/bin.
function(slipway_binary name source)
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE ${ARGN})
  slipway_warnings(${name})
endfunction()

# slipway_test(AREA [DEPS lib...]): tests/AREA/*_test.cc as one GoogleTest binary, each TEST a ctest case.
function(slipway_test area)
  cmake_parse_arguments(ARG "" "" "DEPS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${area}/*.cc)
  if(NOT sources)
    return()
  endif()
  string(REPLACE "/" "_" target ${area})
  add_executable(${target}_test ${sources})
  target_link_libraries(${target}_test PRIVATE ${ARG_DEPS} GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${target}_test PRIVATE
    SLIPWAY_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SLIPWAY_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  slipway_warnings(${target}_test)
  include(GoogleTest)
  gtest_discover_tests(${target}_test TEST_PREFIX "${area}." DISCOVERY_MODE PRE_TEST
    DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 300)
endfunction()

function(slipway_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers)
endfunction()

# slipway_proto(NAME FILES...): C++ messages generated in the build tree; includes are "<path from the root>.pb.h".
function(slipway_proto name)
  set(generated)
  foreach(file ${ARGN})
    file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    add_custom_command(
      OUTPUT ${CMAKE_BINARY_DIR}/generated/${stem}.pb.cc ${CMAKE_BINARY_DIR}/generated/${stem}.pb.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/generated
      COMMAND protobuf::protoc --cpp_out=${CMAKE_BINARY_DIR}/generated -I ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${relative}
      DEPENDS ${CMAKE_SOURCE_DIR}/${relative})
    list(APPEND generated ${CMAKE_BINARY_DIR}/generated/${stem}.pb.cc)
  endforeach()
  add_library(${name} STATIC ${generated})
  target_include_directories(${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/generated)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf)
endfunction()

# slipway_grpc(NAME MESSAGES FILES...): the service stubs of files whose messages library MESSAGES holds.
function(slipway_grpc name messages)
  set(generated)
  foreach(file ${ARGN})
    file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${file})
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    add_custom_command(
      OUTPUT ${CMAKE_BINARY_DIR}/generated/${stem}.grpc.pb.cc ${CMAKE_BINARY_DIR}/generated/${stem}.grpc.pb.h
      COMMAND protobuf::protoc --grpc_out=${CMAKE_BINARY_DIR}/generated
        --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin> -I ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/${relative}
      DEPENDS ${CMAKE_SOURCE_DIR}/${relative} ${messages})
    list(APPEND generated ${CMAKE_BINARY_DIR}/generated/${stem}.grpc.pb.cc)
  endforeach()
  add_library(${name} STATIC ${generated})
  target_link_libraries(${name} PUBLIC ${messages} gRPC::grpc++)
endfunction()

# slipway_flatbuffers(NAME FILE): C++ generated in the build tree; include "<path from the root>_generated.h".
function(slipway_flatbuffers name file)
  file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${file})
  get_filename_component(folder ${relative} DIRECTORY)
  get_filename_component(stem ${relative} NAME_WE)
  set(header ${CMAKE_BINARY_DIR}/generated/${folder}/${stem}_generated.h)
  add_custom_command(OUTPUT ${header}
    COMMAND ${FLATC} --cpp --scoped-enums -o ${CMAKE_BINARY_DIR}/generated/${folder} ${CMAKE_SOURCE_DIR}/${relative}
    DEPENDS ${CMAKE_SOURCE_DIR}/${relative})
  add_custom_target(${name}_header DEPENDS ${header})
  add_library(${name} INTERFACE)
  add_dependencies(${name} ${name}_header)
  target_include_directories(${name} SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/generated)
endfunction()
