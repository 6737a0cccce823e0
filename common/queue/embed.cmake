# Writes OUTPUT: a C++ source with every script of FOLDER, its "--!include FILE" lines replaced by that file.
file(GLOB files ${FOLDER}/*.lua)
set(scripts "")
set(parts "")  # only ever included
foreach(file ${files})
  file(READ ${file} text)
  if(text MATCHES "^#!lua")
    list(APPEND scripts ${file})
  else()
    list(APPEND parts ${file})
  endif()
endforeach()
set(entries "")
foreach(script ${scripts})
  file(READ ${script} text)
  foreach(part ${parts})
    file(READ ${part} included)
    get_filename_component(name ${part} NAME)
    string(REPLACE "--!include ${name}\n" "${included}" text "${text}")
  endforeach()
  if(text MATCHES "--!include")
    message(FATAL_ERROR "${script} includes a file that is not there")
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
