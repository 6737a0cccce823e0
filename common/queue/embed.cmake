# Writes OUTPUT: a C++ source with every script of FOLDER, its "--!include FILE" lines replaced by that file.
file(GLOB scripts ${FOLDER}/*.lua)
set(entries "")
foreach(script ${scripts})
  file(READ ${script} text)
  if(NOT text MATCHES "^#!lua")
    continue()  # only ever included
  endif()
  foreach(shared farm task commit_task lease_task waiters workers)
    file(READ ${FOLDER}/${shared}.lua included)
    string(REPLACE "--!include ${shared}.lua\n" "${included}" text "${text}")
  endforeach()
  if(text MATCHES "--!include")
    message(FATAL_ERROR "${script} includes a file that embed.cmake does not know")
  endif()
  get_filename_component(name ${script} NAME_WE)
  string(APPEND entries "    {\"${name}\", R\"lua(${text})lua\"},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made from common/queue/lua by embed.cmake.
#include \"common/queue/script.h\"

namespace slipway {

std::span<const ScriptSource> ScriptSources() {
  static constexpr ScriptSource kSources[] = {
${entries}  };
  return kSources;
}

}  // namespace slipway
")
