/*
 * Wake-ups: says which zones' files named has just written or read.
 *
 * named appends every update, incremental transfer and signature to the zone's journal and closes it, a moment before
 * or after the new version is there; after a full transfer it moves a new file into place; a (re)load reads and closes
 * the zone's file. The kernel tells all of that of a whole folder by inotify, so this costs named nothing but that,
 * needs no lock and no list of BIND's, and cannot harm it. It is a hint where to look first, never the truth: the look
 * at the zone is.
 *
 * The zone thread only. An entry is watched from zone_files_watch until zone_files_forget, which must come before the
 * entry goes.
 */
#pragma once

#include <stdbool.h>

#include "shim/bind9/zone_table.h"

/* False: the kernel gives no inotify instance; nothing will ever be told then. */
bool
zone_files_start(void);

void
zone_files_stop(void);

/* To be polled for reading, or -1. */
int
zone_files_descriptor(void);

/* The files of `entry`, as named names them; either may be NULL. What was known of it before is replaced. */
void
zone_files_watch(struct zone_entry *entry, const char *file, const char *journal);

void
zone_files_forget(struct zone_entry *entry);

/* Is every file of this zone in a folder that the kernel watches, and is there any? */
bool
zone_files_cover(const struct zone_entry *entry);

/*
 * Watches anew the folders that could not be watched, or that are gone; with `all` also those that may be other ones
 * now, because a reload has changed named's working directory.
 */
void
zone_files_renew(bool all);

/*
 * Reads what the kernel has to tell, without waiting, and calls `touched` for every zone it is about. False when some
 * of it was lost: any zone may have changed.
 */
bool
zone_files_read(void (*touched)(struct zone_entry *entry));
