# Debian 12 packages only; deploy/setup.sh installs them.
include(StaticLibraries)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)        # module mode: Debian's protobuf has no CMake config; before gRPC
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(nlohmann_json CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(Eigen3 CONFIG REQUIRED)
find_package(FlatBuffers CONFIG REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(pugixml CONFIG REQUIRED)
find_package(GTest CONFIG REQUIRED)
find_package(benchmark CONFIG REQUIRED)
find_program(FLATC flatc REQUIRED)

# hiredis' own CMake config is broken in Debian 12.
slipway_system_library(slipway_hiredis hiredis)
slipway_system_library(slipway_seccomp seccomp)
slipway_system_library(slipway_yaml yaml-cpp)

# libcurl's archive needs a dozen libraries that have none.
slipway_prefer_archives(CURL::libcurl)
# What the packages leave out, because the shared libraries bring it themselves.
slipway_system_library(slipway_re2 re2)
set_property(TARGET re2::re2 PROPERTY INTERFACE_LINK_LIBRARIES slipway_re2)
set_property(TARGET protobuf::libprotobuf APPEND PROPERTY INTERFACE_LINK_LIBRARIES ZLIB::ZLIB)

# The allocator of our programs: glibc's spends a third of a large graph's conversion on the many small pieces that passes free. The sanitizers bring
# their own.
add_library(slipway_malloc INTERFACE)
if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
  find_library(SLIPWAY_JEMALLOC NAMES jemalloc_pic REQUIRED)
  target_link_libraries(slipway_malloc INTERFACE ${SLIPWAY_JEMALLOC})
endif()
