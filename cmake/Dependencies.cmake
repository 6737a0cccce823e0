# Debian 12 packages only; deploy/setup.sh installs them.
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
find_library(HIREDIS_LIBRARY hiredis REQUIRED)
add_library(slipway_hiredis INTERFACE)
target_link_libraries(slipway_hiredis INTERFACE ${HIREDIS_LIBRARY})

find_library(SECCOMP_LIBRARY seccomp REQUIRED)
add_library(slipway_seccomp INTERFACE)
target_link_libraries(slipway_seccomp INTERFACE ${SECCOMP_LIBRARY})
