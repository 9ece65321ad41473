/* SPDX-License-Identifier: MIT
 *
 * Preloaded into a program by test_hang.py: the resolver hangs for one name, and a thread that finds
 * a certain word in a request hangs, for ever. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void hang(void) {
  if (write(STDERR_FILENO, "it hangs\n", 9) < 0) return;
  for (;;) pause();
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) = dlsym(RTLD_NEXT, "getaddrinfo");
  int asks_nobody = hints != NULL && (hints->ai_flags & AI_NUMERICHOST) != 0;
  if (host != NULL && !asks_nobody && strcmp(host, "hangs.test") == 0) hang();
  return next(host, service, hints, found);
}

ssize_t recv(int fd, void *bytes, size_t size, int flags) {
  ssize_t (*next)(int, void *, size_t, int) = dlsym(RTLD_NEXT, "recv");
  ssize_t got = next(fd, bytes, size, flags);
  if (got > 0 && memmem(bytes, (size_t)got, "hang-this-worker", 16) != NULL) hang();
  return got;
}
