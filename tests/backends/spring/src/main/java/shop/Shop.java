package shop;

import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.servlet.config.annotation.CorsRegistry;
import org.springframework.web.servlet.config.annotation.WebMvcConfigurer;

/** The shop behind Spring MVC, whose list of origins is older than the front end's address. */
@SpringBootApplication
@RestController
public class Shop implements WebMvcConfigurer {
  private final AtomicLong orders = new AtomicLong();

  public static void main(String[] args) {
    SpringApplication.run(Shop.class, args);
  }

  @Override
  public void addCorsMappings(CorsRegistry registry) {
    registry.addMapping("/**")
        .allowedOrigins("https://old.example")
        .allowedMethods("GET", "POST", "PUT")
        .allowedHeaders("content-type")
        .allowCredentials(true);
  }

  @GetMapping("/spring/orders")
  Map<String, Long> orders() {
    return Map.of("orders", orders.get());
  }

  @PostMapping("/spring/orders")
  Map<String, Long> order() {
    return Map.of("orders", orders.incrementAndGet());
  }
}
