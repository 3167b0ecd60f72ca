/* posix_impl.h - the functions of port.h as posix.c puts them into its port, by the file that has them. */
#ifndef AG_PORT_POSIX_IMPL_H
#define AG_PORT_POSIX_IMPL_H

#include "agent/port/port.h"

/* posix_files.c */
int ag_posix_read_file(struct ag_port *port, const char *path, size_t limit_bytes, struct cs_buf *out,
                       struct cs_err *err);
int ag_posix_write_file(struct ag_port *port, const char *path, struct cs_slice content,
                        const struct ag_file_look *look, struct cs_err *err);
int ag_posix_replace_file(struct ag_port *port, const char *path, struct cs_slice content,
                          const struct ag_file_look *look, struct cs_err *err);
int ag_posix_copy(struct ag_port *port, const char *from, const char *to, size_t limit_bytes,
                  struct cs_err *err);
int ag_posix_stamp_of(struct ag_port *port, const char *path, struct ag_stamp *ret, struct cs_err *err);

/* posix_folders.c */
int ag_posix_make_folder(struct ag_port *port, const char *path, unsigned mode, struct cs_err *err);
int ag_posix_sync_folder(struct ag_port *port, const char *path, struct cs_err *err);
int ag_posix_list_folder(struct ag_port *port, const char *path,
                         void (*on_entry)(void *data, const char *name), void *data, struct cs_err *err);
int ag_posix_remove_folder(struct ag_port *port, const char *path, struct cs_err *err);
int ag_posix_check_place(struct ag_port *port, const char *path, const char *owner, struct cs_err *err);
int ag_posix_room(struct ag_port *port, const char *path, uint64_t *ret_bytes, struct cs_err *err);

/* posix_links.c */
int ag_posix_look_at(struct ag_port *port, const char *path, enum ag_entry_kind *ret, struct cs_err *err);
int ag_posix_read_link(struct ag_port *port, const char *path, char *ret, size_t size, struct cs_err *err);
int ag_posix_switch_link(struct ag_port *port, const char *path, const char *target, struct cs_err *err);
int ag_posix_remove_link(struct ag_port *port, const char *path, struct cs_err *err);

#endif
