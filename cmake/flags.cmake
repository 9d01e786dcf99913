# Compiler flags shared by every target.

add_compile_definitions(_GNU_SOURCE H2O_USE_LIBUV=0 H2O_USE_EPOLL=1)
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
                    -Wswitch-enum -Wvla -Wformat=2 -Wundef -fno-omit-frame-pointer -pthread)
add_link_options(-pthread)
include_directories(${PROJECT_SOURCE_DIR})

if(COUNTERPART_WERROR)
    add_compile_options(-Werror)
endif()
if(COUNTERPART_SANITIZE)
    add_compile_options(-fsanitize=${COUNTERPART_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${COUNTERPART_SANITIZE})
endif()
if(COUNTERPART_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(COUNTERPART_COVERAGE)
    add_compile_options(--coverage -O0)
    add_link_options(--coverage)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
    # A look-up is many small calls across folders: 5 % fewer instructions.
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
    set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")   # CHECKs stay on: no NDEBUG anywhere
    add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
    add_link_options(-pie -Wl,-z,relro,-z,now)
endif()
