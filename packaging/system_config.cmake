# promotiond_system_config(<output>)
#   config/promotiond.yaml with the places of an installed system. The rest is taken as it stands, so that the packaged
#   file says nothing that the documented one does not; a line that is not found any more stops the build.
function(promotiond_system_config output)
    set(source ${PROJECT_SOURCE_DIR}/config/promotiond.yaml)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
    file(READ ${source} text)

    macro(place from to)
        string(FIND "${text}" "\n${from}\n" first)
        string(FIND "${text}" "\n${from}\n" last REVERSE)
        if(first EQUAL -1 OR NOT first EQUAL last)
            message(FATAL_ERROR "${source}: the line \"${from}\" must stand there once; packaging/system_config.cmake replaces it")
        endif()
        string(REPLACE "\n${from}\n" "\n${to}\n" text "${text}")
    endmacro()

    place("    secrets: ./secrets" "    # Here: the copies that systemd makes of /etc/promotiond/secrets at start (LoadCredential in promotiond.service). To have
    # changes taken at once, name a directory that the user promotiond may read.
    secrets: /run/credentials/promotiond.service")
    place("  path: ./state/journal.db" "  path: /var/lib/promotiond/journal.db")
    place("  #directory: ./state/cache" "  directory: /var/cache/promotiond")
    place("  directory: ./strategies" "  directory: ${CMAKE_INSTALL_FULL_LIBDIR}/promotiond/strategies")
    file(WRITE ${output}.new "${text}")
    file(COPY_FILE ${output}.new ${output} ONLY_IF_DIFFERENT)
    file(REMOVE ${output}.new)
endfunction()
