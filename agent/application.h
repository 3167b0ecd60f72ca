/* application.h - what the agent asks of an application: would you take your files (validate), take them
 * (reload), and what do you serve (prove). Through the port, and never blocking the loop; one question at a
 * time. What an answer means for an order is its owner's business (apply.h). */
#ifndef AG_APPLICATION_H
#define AG_APPLICATION_H

#include "agent/core/verdict.h"
#include "agent/port/port.h"

struct ag_answer {
    enum ag_verdict verdict; /* AG_OK, or the failure's */
    char detail[400]; /* which step, its exit status, the end of what was said; a sentence also for AG_OK */
    char unlimited[160]; /* a sentence, when nothing limited a command's processes (port.h) */
    bool served;         /* prove: some leaf was seen, and this is it */
    struct cs_digest leaf;
};

/* What prove waits for: the application serves this leaf, or, with is_gone, no more. The leaf is SHA-256 of
 * its DER. */
struct ag_proof {
    struct cs_digest leaf;
    bool is_gone;
};

struct ag_application {
    struct ag_port *port;
    const struct ag_connector *connector; /* borrowed while a question is open; NULL: none is */
    struct ag_proof proof;
    bool was_silent; /* at the last look nobody answered */
    int64_t until_ms;
    struct cs_buf line; /* what is said to a socket; wiped */
    char *bundle;       /* haproxy: the path whose certificate is set */
    struct ag_answer answer;
    void (*on_end)(void *owner, const struct ag_answer *answer);
    void *owner;
};

/* on_end comes once, from here where nothing has to be waited for, else from the loop. `application` must be
 * idle; the next question may be asked from on_end. */
void ag_application_validate(struct ag_application *application, struct ag_port *port,
                             const struct ag_connector *connector,
                             void (*on_end)(void *owner, const struct ag_answer *answer), void *owner);
/* `files` is the folder of the generation that the application is to take. */
void ag_application_reload(struct ag_application *application, struct ag_port *port,
                           const struct ag_connector *connector, const char *files,
                           void (*on_end)(void *owner, const struct ag_answer *answer), void *owner);
/* Looks again and again until it is so, or the connector's probe_timeout has passed. */
void ag_application_prove(struct ag_application *application, struct ag_port *port,
                          const struct ag_connector *connector, const struct ag_proof *proof,
                          void (*on_end)(void *owner, const struct ag_answer *answer), void *owner);
/* Ends what is open, without on_end. */
void ag_application_stop(struct ag_application *application);

/* SHA-256 of the DER of the leaf in a generation's folder, whatever files it has. CS_ENOTFOUND: it has none.
 */
CS_MUST_USE int ag_application_leaf(struct ag_port *port, const struct ag_connector *connector,
                                    const char *files, struct cs_digest *ret, struct cs_err *err);

#endif
