# counterpart_folder(NAME USES ... WRAPS ...): the folder's library. USES are our folders below it,
# WRAPS the third-party libraries that single files of it wrap.
function(counterpart_folder name)
    cmake_parse_arguments(FOLDER "" "" "USES;WRAPS" ${ARGN})
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PRIVATE ${FOLDER_USES} ${FOLDER_WRAPS})
endfunction()
