// What Debian's libgcc_eh asks glibc for and musl has not: which object holds a program counter, and where its table of
// frames is (glibc's dl_find_object(3); the structure is that of <dlfcn.h>). With it the unwinder works in a program that
// is linked with musl. Rust's own musl targets bring another unwinder and need none of this.
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>

struct dl_find_object {
    unsigned long long flags;
    void *map_start, *map_end;
    void *link_map;
    void *eh_frame;
    unsigned long long reserved[7];
};

struct search {
    ElfW(Addr) address;
    struct dl_find_object *found;
};

static int look(struct dl_phdr_info *object, size_t size, void *data) {
    struct search *search = data;
    void *eh_frame = NULL;
    int inside = 0;
    (void)size;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &object->dlpi_phdr[i];
        ElfW(Addr) start = object->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && search->address - start < header->p_memsz) {
            inside = 1;
            search->found->map_start = (void *)start;
            search->found->map_end = (void *)(start + header->p_memsz);
        }
        if (header->p_type == PT_GNU_EH_FRAME) eh_frame = (void *)start;
    }
    if (!inside || !eh_frame) return 0;
    search->found->eh_frame = eh_frame;
    return 1;
}

int _dl_find_object(void *address, struct dl_find_object *found) {
    struct search search = {(ElfW(Addr))address, found};
    *found = (struct dl_find_object){0};
    return dl_iterate_phdr(look, &search) ? 0 : -1;
}
