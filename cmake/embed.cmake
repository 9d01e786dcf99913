# counterpart_embed(TARGET SYMBOL FILE): the bytes of FILE become `const unsigned char SYMBOL[]` and
# `const size_t SYMBOL_size` in a C file of the build tree. Editing FILE configures anew.
function(counterpart_embed target symbol file)
    get_filename_component(path ${file} ABSOLUTE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
    file(READ ${path} hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    set(generated ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
    file(CONFIGURE OUTPUT ${generated} @ONLY CONTENT
"#include <stddef.h>
extern const unsigned char @symbol@[];
extern const size_t @symbol@_size;
const unsigned char @symbol@[] = {@bytes@};
const size_t @symbol@_size = sizeof(@symbol@);
")
    target_sources(${target} PRIVATE ${generated})
endfunction()
