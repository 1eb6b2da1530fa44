/* The text between the braces of named.conf's plugin directive: at most `config "file";`. */
#pragma once

#include <stdbool.h>

#include "shim/bindcast.h"

/*
 * Sets *config_path to a malloc'd path, or NULL when none is given (`parameters` NULL, empty, or without it). False
 * after logging what is wrong, with named.conf's file and line. Any thread.
 */
bool
parameters_read(const char *parameters, const char *file, unsigned long line, const struct bindcast_host *host,
		char **config_path);
