# Three binaries start for every embedded export, and some sixty libraries, found, mapped and relocated anew in each, were a fifth of a small export's CPU
# time. So libraries come as archives where Debian has them. libc and libm stay shared, and what the root's CMakeLists leaves out by name.
option(SLIPWAY_STATIC_LIBRARIES "Link Debian's archives instead of its shared libraries" ON)

# OUTPUT: the archive beside the shared library LOCATION, or LOCATION where there is none.
function(slipway_archive_of location output)
  string(REGEX REPLACE "\\.so[.0-9]*$" ".a" archive "${location}")
  if(SLIPWAY_STATIC_LIBRARIES AND EXISTS "${archive}")
    set(${output} ${archive} PARENT_SCOPE)
  else()
    set(${output} ${location} PARENT_SCOPE)
  endif()
endfunction()

# slipway_system_library(TARGET NAME): a library that has no CMake package.
function(slipway_system_library target name)
  find_library(${target}_LOCATION ${name} REQUIRED)
  slipway_archive_of(${${target}_LOCATION} location)
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE ${location})
endfunction()

# Points every imported library of this folder at its archive, but those named.
function(slipway_prefer_archives)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  list(REMOVE_ITEM targets ${ARGN})
  foreach(target ${targets})
    get_target_property(configurations ${target} IMPORTED_CONFIGURATIONS)
    set(properties IMPORTED_LOCATION)
    foreach(configuration ${configurations})
      list(APPEND properties IMPORTED_LOCATION_${configuration})
    endforeach()
    foreach(property ${properties})
      get_target_property(location ${target} ${property})
      if(location)
        slipway_archive_of(${location} archive)
        set_target_properties(${target} PROPERTIES ${property} ${archive})
      endif()
    endforeach()
  endforeach()
endfunction()
