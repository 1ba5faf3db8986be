#ifndef SQ_ACTIVATION_H
#define SQ_ACTIVATION_H

/* Activation functions. activation.c has one row per kind. The cuda backend and the vectorised cpu kernels have their
 * own versions of the arithmetic; tests compare those versions with this one. */

typedef enum { SQ_LINEAR, SQ_RELU, SQ_RELU6, SQ_HSWISH, SQ_SIGMOID, SQ_HSIGMOID, SQ_ACTIVATIONS } sq_activation;

/* Returns the name used in configurations ("linear", "relu", ...), or "unknown" for a value that is not an
 * activation. */
const char *sq_activation_name(sq_activation activation);
/* Returns the activation with this name; SQ_ACTIVATIONS if there is none. */
sq_activation sq_activation_find(const char *name);

/* Returns the activation of x. hswish(x) = x * clamp(x + 3, 0, 6) / 6; hsigmoid(x) = clamp(x + 3, 0, 6) / 6. If x is
 * NaN, the result is NaN. source: Howard et al. 2019, "Searching for MobileNetV3", section 5.2 */
float sq_activate(sq_activation activation, float x);
/* Returns the derivative of the activation at the pre-activation x. At the kinks, as in PyTorch, the derivative is 1
 * for hswish at 3, and 0 for relu at 0, relu6 at 0 and 6, hsigmoid at -3 and 3, and hswish at -3. */
float sq_activate_slope(sq_activation activation, float x);

#endif
