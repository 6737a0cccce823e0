cmake_minimum_required(VERSION 3.25)
# Writes OUTPUT: a header with the hash of COMPILER and of the files named in LIST, by their paths below ROOT and their contents.
file(STRINGS ${LIST} files)
set(all "${COMPILER}\n")
foreach(file ${files})
  file(SHA256 ${file} hash)
  file(RELATIVE_PATH name ${ROOT} ${file})
  string(APPEND all "${hash}  ${name}\n")
endforeach()
string(SHA256 id "${all}")
string(SUBSTRING ${id} 0 16 id)
file(CONFIGURE OUTPUT ${OUTPUT} @ONLY CONTENT "#pragma once
namespace slipway {
inline constexpr char kBuildId[] = \"@id@\";
}
")
