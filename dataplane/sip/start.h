/* SPDX-License-Identifier: BSD-3-Clause */
/* Private to the SIP room: the first line of a message. */
#ifndef WEIR_DATAPLANE_SIP_START_H
#define WEIR_DATAPLANE_SIP_START_H

#include "dataplane/sip/sip.h"

/*
 * Decode the start line m->base[0..end) into m. False: not SIP, or a response that no one can use.
 * What is recognisably a request but wrong sets m->fault.
 */
bool sip_start_line(struct sip_msg *m, uint32_t end);

#endif
