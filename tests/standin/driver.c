/* A stand-in for NVIDIA's driver, libcuda.so.1: every call succeeds, no kernel does anything.

   A launch is refused as a device would refuse it: too many threads, a grid that is too large, more
   shared memory or registers than a block may have, threads beyond the kernel's launch bounds, no
   context. What a kernel needs and where its parameters lie is read from its compiled code (ELF,
   sections .nv.info and .nv.shared). Device memory is memory of the host.

   Tests read what happened by standin_count and standin_launch. Environment:
   STANDIN_DRIVER (version, 13000), STANDIN_DEVICES (number, 1), STANDIN_CAPABILITY (90). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int CUresult;
enum {
    SUCCESS = 0, INVALID_VALUE = 1, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_IMAGE = 200,
    INVALID_CONTEXT = 201, NOT_FOUND = 500, OUT_OF_RESOURCES = 701
};
enum { MAX_PARAMS = 512, MAX_BYTES = 4096, KEPT = 4096, DEEP = 64, LONG = 4096, SHARED_BYTES = 48 * 1024 };

typedef struct Module Module;
typedef struct {
    char name[LONG];
    Module *module;
    int params, registers, most_threads, static_shared;
    uint16_t offset[MAX_PARAMS], size[MAX_PARAMS];
} Kernel;
struct Module {
    unsigned char *image;
    Kernel *kernels[64];
    int count;
};
typedef struct {
    char name[LONG];
    unsigned grid[3], block[3], shared;
    void *stream, *context;
    int bytes;
    unsigned char params[MAX_BYTES];
} Launch;

static Launch kept[KEPT];
static int launches, waits, copies, loads;
static char contexts[16];
static __thread void *stack[DEEP];
static __thread int depth;

static int setting(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static int devices(void) { return setting("STANDIN_DEVICES", 1); }

/* For tests. */

int standin_count(const char *what) {
    if (!strcmp(what, "launches")) return launches;
    if (!strcmp(what, "waits")) return waits;
    if (!strcmp(what, "copies")) return copies;
    if (!strcmp(what, "loads")) return loads;
    return -1;
}

const Launch *standin_launch(int index) {
    return index >= 0 && index < launches && index < KEPT ? &kept[index] : NULL;
}

void standin_reset(void) { launches = waits = copies = loads = 0; }

/* Versions, devices, contexts. */

CUresult cuInit(unsigned flags) { (void)flags; return devices() ? SUCCESS : NO_DEVICE; }
CUresult cuDriverGetVersion(int *version) {
    *version = setting("STANDIN_DRIVER", 13000);
    return SUCCESS;
}
CUresult cuDeviceGetCount(int *count) { *count = devices(); return SUCCESS; }
CUresult cuDeviceGet(int *device, int ordinal) {
    if (ordinal < 0 || ordinal >= devices()) return INVALID_DEVICE;
    *device = ordinal;
    return SUCCESS;
}
CUresult cuDeviceGetName(char *name, int bytes, int device) {
    snprintf(name, bytes, "stand-in %d", device);
    return SUCCESS;
}
CUresult cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
    memset(uuid, device, 16);
    return SUCCESS;
}
CUresult cuDeviceTotalMem_v2(size_t *bytes, int device) {
    (void)device;
    *bytes = (size_t)1 << 33;
    return SUCCESS;
}
CUresult cuDeviceGetAttribute(int *value, int attribute, int device) {
    (void)device;
    int capability = setting("STANDIN_CAPABILITY", 90);
    switch (attribute) {
    case 1: case 2: case 3: *value = attribute == 3 ? 64 : 1024; break;
    case 4: *value = 1024; break;
    case 5: *value = 0x7fffffff; break;
    case 6: case 7: *value = 65535; break;
    case 8: *value = SHARED_BYTES; break;
    case 10: *value = 32; break;
    case 12: *value = 65536; break;
    case 16: *value = 132; break;
    case 75: *value = capability / 10; break;
    case 76: *value = capability % 10; break;
    case 97: *value = 227 * 1024; break;
    default: *value = 0;
    }
    return SUCCESS;
}
CUresult cuDevicePrimaryCtxRetain(void **context, int device) {
    *context = &contexts[device];
    return SUCCESS;
}
CUresult cuDevicePrimaryCtxRelease_v2(int device) { (void)device; return SUCCESS; }
CUresult cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    (void)device;
    *flags = 0;
    *active = 1;
    return SUCCESS;
}
CUresult cuCtxGetCurrent(void **context) { *context = depth ? stack[depth - 1] : NULL; return SUCCESS; }
CUresult cuCtxSetCurrent(void *context) {
    if (!context) {
        depth -= depth > 0;
        return SUCCESS;
    }
    if (!depth) depth = 1;
    stack[depth - 1] = context;
    return SUCCESS;
}
CUresult cuCtxPushCurrent_v2(void *context) {
    if (depth == DEEP) return INVALID_VALUE;
    stack[depth++] = context;
    return SUCCESS;
}
CUresult cuCtxPopCurrent_v2(void **context) {
    if (!depth) return INVALID_CONTEXT;
    void *top = stack[--depth];
    if (context) *context = top;
    return SUCCESS;
}
CUresult cuCtxGetDevice(int *device) {
    if (!depth || !stack[depth - 1]) return INVALID_CONTEXT;
    *device = (int)((char *)stack[depth - 1] - contexts);
    return SUCCESS;
}
CUresult cuCtxGetId(void *context, unsigned long long *id) {
    *id = (unsigned long long)((char *)context - contexts) + 1;
    return SUCCESS;
}
CUresult cuCtxSynchronize(void) { waits++; return SUCCESS; }
CUresult cuMemGetInfo_v2(size_t *left, size_t *total) {
    *left = *total = (size_t)1 << 33;
    return SUCCESS;
}
CUresult cuGetErrorName(CUresult error, const char **text) {
    *text = error == INVALID_VALUE ? "CUDA_ERROR_INVALID_VALUE"
        : error == OUT_OF_RESOURCES ? "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"
        : error == INVALID_CONTEXT ? "CUDA_ERROR_INVALID_CONTEXT" : "an error of the stand-in";
    return SUCCESS;
}
CUresult cuGetErrorString(CUresult error, const char **text) { return cuGetErrorName(error, text); }

/* Streams, events, memory. */

CUresult cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) {
    (void)flags; (void)priority;
    *stream = malloc(1);
    return SUCCESS;
}
CUresult cuStreamCreate(void **stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }
CUresult cuStreamDestroy_v2(void *stream) { free(stream); return SUCCESS; }
CUresult cuStreamSynchronize(void *stream) { (void)stream; waits++; return SUCCESS; }
CUresult cuEventCreate(void **event, unsigned flags) { (void)flags; *event = malloc(1); return SUCCESS; }
CUresult cuEventDestroy_v2(void *event) { free(event); return SUCCESS; }
CUresult cuEventRecord(void *event, void *stream) { (void)event; (void)stream; return SUCCESS; }
CUresult cuEventSynchronize(void *event) { (void)event; waits++; return SUCCESS; }
CUresult cuMemAlloc_v2(void **memory, size_t bytes) { *memory = calloc(bytes, 1); return SUCCESS; }
CUresult cuMemFree_v2(void *memory) { free(memory); return SUCCESS; }
CUresult cuPointerGetAttribute(void *value, int attribute, void *pointer) {
    (void)attribute;
    memcpy(value, &pointer, sizeof pointer);
    return SUCCESS;
}
CUresult cuMemcpyHtoD_v2(void *to, const void *from, size_t bytes) {
    copies++;
    waits++;
    memcpy(to, from, bytes);
    return SUCCESS;
}
CUresult cuMemcpyDtoH_v2(void *to, const void *from, size_t bytes) { return cuMemcpyHtoD_v2(to, from, bytes); }
CUresult cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes, void *stream) {
    (void)stream;
    copies++;
    memcpy(to, from, bytes);
    return SUCCESS;
}
CUresult cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes, void *stream) {
    return cuMemcpyHtoDAsync_v2(to, from, bytes, stream);
}

/* Compiled code. */

static uint32_t word(const unsigned char *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

/* Attributes of .nv.info: format, number, then a value of 2 bytes, or its length and so many bytes. */
static void read_info(Kernel *kernel, const unsigned char *at, const unsigned char *end, long symbol) {
    while (at + 4 <= end) {
        int format = at[0], attribute = at[1], length = at[2] | at[3] << 8;
        const unsigned char *value = at + 4;
        at += 4 + (format == 4 ? length : 0);
        if (format != 4) continue;
        if (symbol >= 0) {
            /* Of the whole module: registers of the kernel with this symbol. */
            if (attribute == 0x2f && word(value) == (uint32_t)symbol) kernel->registers = word(value + 4);
        } else if (attribute == 0x17) {
            int ordinal = value[4] | value[5] << 8;
            if (ordinal >= MAX_PARAMS) continue;
            kernel->offset[ordinal] = value[6] | value[7] << 8;
            kernel->size[ordinal] = word(value + 8) >> 18;
            if (ordinal >= kernel->params) kernel->params = ordinal + 1;
        } else if (attribute == 0x05) {
            kernel->most_threads = word(value) * word(value + 4) * word(value + 8);
        }
    }
}

static Kernel *find_kernel(Module *module, const char *name) {
    unsigned char *image = module->image;
    Elf64_Ehdr *header = (Elf64_Ehdr *)image;
    Elf64_Shdr *sections = (Elf64_Shdr *)(image + header->e_shoff);
    const char *names = (const char *)image + sections[header->e_shstrndx].sh_offset;
    char info[LONG + 20], text[LONG + 20], shared[LONG + 20];
    snprintf(info, sizeof info, ".nv.info.%s", name);
    snprintf(text, sizeof text, ".text.%s", name);
    snprintf(shared, sizeof shared, ".nv.shared.%s", name);
    Kernel *kernel = calloc(1, sizeof *kernel);
    int is_there = 0;
    long symbol = -1;
    snprintf(kernel->name, sizeof kernel->name, "%s", name);
    kernel->module = module;
    for (int i = 0; i < header->e_shnum; i++) {
        Elf64_Shdr *part = &sections[i];
        const char *title = names + part->sh_name;
        const unsigned char *begin = image + part->sh_offset;
        if (!strcmp(title, info)) read_info(kernel, begin, begin + part->sh_size, -1);
        if (!strcmp(title, text)) is_there = 1;
        /* From sm_90 on the first 1024 bytes are the system's, beyond what a block is granted. */
        if (!strcmp(title, shared))
            kernel->static_shared = (int)part->sh_size - (setting("STANDIN_CAPABILITY", 90) < 90 ? 0 : 1024);
        if (part->sh_type == SHT_SYMTAB) {
            const char *strings = (const char *)image + sections[part->sh_link].sh_offset;
            Elf64_Sym *symbols = (Elf64_Sym *)begin;
            for (size_t s = 0; s < part->sh_size / sizeof *symbols; s++)
                if (!strcmp(strings + symbols[s].st_name, name)) symbol = (long)s;
        }
    }
    for (int i = 0; i < header->e_shnum && symbol >= 0; i++)
        if (!strcmp(names + sections[i].sh_name, ".nv.info")) {
            const unsigned char *begin = image + sections[i].sh_offset;
            read_info(kernel, begin, begin + sections[i].sh_size, symbol);
        }
    if (is_there) return kernel;
    free(kernel);
    return NULL;
}

CUresult cuModuleLoadData(void **module, const void *image) {
    if (memcmp(image, ELFMAG, SELFMAG)) return INVALID_IMAGE;
    Elf64_Ehdr *header = (Elf64_Ehdr *)image;
    /* The sections' headers may lie before or after what they describe. */
    size_t bytes = header->e_shoff + (size_t)header->e_shnum * sizeof(Elf64_Shdr);
    Elf64_Shdr *sections = (Elf64_Shdr *)((char *)image + header->e_shoff);
    for (int i = 0; i < header->e_shnum; i++) {
        size_t end = sections[i].sh_offset + (sections[i].sh_type == SHT_NOBITS ? 0 : sections[i].sh_size);
        if (end > bytes) bytes = end;
    }
    Module *made = calloc(1, sizeof *made);
    made->image = malloc(bytes);
    memcpy(made->image, image, bytes);
    *module = made;
    loads++;
    return SUCCESS;
}
CUresult cuModuleLoadDataEx(void **module, const void *image, unsigned n, void *options, void **values) {
    (void)n; (void)options; (void)values;
    return cuModuleLoadData(module, image);
}
CUresult cuLibraryLoadData(void **library, const void *image, void *a, void **b, unsigned c, void *d, void **e,
                           unsigned f) {
    (void)a; (void)b; (void)c; (void)d; (void)e; (void)f;
    return cuModuleLoadData(library, image);
}
CUresult cuModuleUnload(Module *module) { (void)module; return SUCCESS; }
CUresult cuLibraryUnload(Module *library) { (void)library; return SUCCESS; }
CUresult cuLibraryGetModule(Module **module, Module *library) { *module = library; return SUCCESS; }
CUresult cuModuleGetFunction(Kernel **kernel, Module *module, const char *name) {
    for (int i = 0; i < module->count; i++)
        if (!strcmp(module->kernels[i]->name, name)) {
            *kernel = module->kernels[i];
            return SUCCESS;
        }
    *kernel = find_kernel(module, name);
    if (!*kernel || module->count == 64) return NOT_FOUND;
    module->kernels[module->count++] = *kernel;
    return SUCCESS;
}
CUresult cuLibraryGetKernel(Kernel **kernel, Module *library, const char *name) {
    return cuModuleGetFunction(kernel, library, name);
}
CUresult cuKernelGetFunction(Kernel **function, Kernel *kernel) { *function = kernel; return SUCCESS; }
CUresult cuKernelGetLibrary(Module **library, Kernel *kernel) { *library = kernel->module; return SUCCESS; }
CUresult cuFuncGetModule(Module **module, Kernel *kernel) { *module = kernel->module; return SUCCESS; }
CUresult cuFuncGetAttribute(int *value, int attribute, Kernel *kernel) {
    *value = attribute == 0 ? (kernel->most_threads ? kernel->most_threads : 1024)
        : attribute == 1 ? kernel->static_shared : attribute == 4 ? kernel->registers : 0;
    return SUCCESS;
}
CUresult cuKernelGetAttribute(int *value, int attribute, Kernel *kernel, int device) {
    (void)device;
    return cuFuncGetAttribute(value, attribute, kernel);
}
CUresult cuFuncSetAttribute(Kernel *kernel, int attribute, int value) {
    (void)kernel; (void)attribute;
    return value >= 0 ? SUCCESS : INVALID_VALUE;
}
CUresult cuFuncGetParamInfo(Kernel *kernel, size_t index, size_t *offset, size_t *size) {
    if (index >= (size_t)kernel->params) return INVALID_VALUE;
    *offset = kernel->offset[index];
    *size = kernel->size[index];
    return SUCCESS;
}

/* Launches. */

CUresult cuLaunchKernel(Kernel *kernel, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, void *stream, void **params, void **extra) {
    (void)extra;
    unsigned long long threads = (unsigned long long)bx * by * bz;
    if (!depth || !stack[depth - 1]) return INVALID_CONTEXT;
    if (!gx || !gy || !gz || !threads) return INVALID_VALUE;
    if (gx > 0x7fffffff || gy > 65535 || gz > 65535) return INVALID_VALUE;
    if (threads > 1024 || bx > 1024 || by > 1024 || bz > 64) return INVALID_VALUE;
    if (shared + kernel->static_shared > SHARED_BYTES) return INVALID_VALUE;
    if (kernel->most_threads && threads > (unsigned)kernel->most_threads) return OUT_OF_RESOURCES;
    /* Registers are granted to whole warps, by eights. */
    if ((unsigned long long)((kernel->registers + 7) & ~7) * ((threads + 31) & ~31ull) > 65536)
        return OUT_OF_RESOURCES;
    if (kernel->params && !params) return INVALID_VALUE;
    if (launches < KEPT) {
        Launch *launch = &kept[launches];
        memset(launch, 0, sizeof *launch);
        memcpy(launch->name, kernel->name, sizeof launch->name);
        launch->grid[0] = gx, launch->grid[1] = gy, launch->grid[2] = gz;
        launch->block[0] = bx, launch->block[1] = by, launch->block[2] = bz;
        launch->shared = shared, launch->stream = stream, launch->context = stack[depth - 1];
        for (int i = 0; i < kernel->params; i++) {
            int end = kernel->offset[i] + kernel->size[i];
            if (end > MAX_BYTES) return INVALID_VALUE;
            memcpy(launch->params + kernel->offset[i], params[i], kernel->size[i]);
            if (end > launch->bytes) launch->bytes = end;
        }
    }
    launches++;
    return SUCCESS;
}

typedef struct {
    unsigned gx, gy, gz, bx, by, bz, shared;
    void *stream;
} Config;
CUresult cuLaunchKernelEx(const Config *config, Kernel *kernel, void **params, void **extra) {
    return cuLaunchKernel(kernel, config->gx, config->gy, config->gz, config->bx, config->by, config->bz,
                          config->shared, config->stream, params, extra);
}

/* Callers ask for a name without its version. */
CUresult cuGetProcAddress_v2(const char *name, void **function, int version, uint64_t flags, int *status) {
    (void)version; (void)flags;
    char text[256];
    static const char *const versions[] = {"_v3", "_v2", ""};
    *function = NULL;
    for (int i = 0; i < 3 && !*function; i++) {
        snprintf(text, sizeof text, "%s%s", name, versions[i]);
        Dl_info here;
        void *symbol = dlsym(RTLD_DEFAULT, text);
        (void)here;
        if (!symbol) {
            dladdr((void *)cuGetProcAddress_v2, &here);
            void *self = dlopen(here.dli_fname, RTLD_NOLOAD | RTLD_LAZY);
            symbol = self ? dlsym(self, text) : NULL;
        }
        *function = symbol;
    }
    if (getenv("STANDIN_TRACE") && !*function) fprintf(stderr, "stand-in: no %s\n", name);
    if (status) *status = *function ? 0 : 1;
    return *function ? SUCCESS : NOT_FOUND;
}
CUresult cuGetProcAddress(const char *name, void **function, int version, uint64_t flags) {
    return cuGetProcAddress_v2(name, function, version, flags, NULL);
}
