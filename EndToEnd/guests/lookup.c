/* lookup NAME [4|6]: looks a name up as a C program does, prints its addresses. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

int main(int count, char **words) {
    if (count < 2) return 2;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (count > 2) hints.ai_family = words[2][0] == '6' ? AF_INET6 : AF_INET;
    int code = getaddrinfo(words[1], NULL, &hints, &found);
    if (code != 0) {
        fprintf(stderr, "%s: %s\n", words[1], gai_strerror(code));
        return 1;
    }
    for (; found != NULL; found = found->ai_next) {
        char text[64];
        if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST) == 0) puts(text);
    }
    return 0;
}
